import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { applyDeploy } from "@/api/cache";
import { api } from "@/api/client";
import { useWatchDeploy, useWatchWorkload } from "@/api/live";
import { isMissing } from "@/api/problem";
import { deployQuery, keys, statusQuery } from "@/api/queries";
import type { Deploy } from "@/api/types";
import { Button } from "@/components/button";
import { Empty } from "@/components/empty";
import { ProblemView } from "@/components/problem";
import { toastProblem } from "@/components/toast";
import { type Action, useActions } from "@/frame/actions";
import { usePage } from "@/frame/page";
import { shortSha } from "@/lib/format";
import { deployHeadline, isDeployActive } from "@/lib/status";
import { mayRevert, RevertOfFailed, RevertSection } from "@/pages/revert/section";
import { Failure } from "./failure";
import { DeployHeader } from "./header";
import { HeldSection } from "./held";
import { Images } from "./images";
import { MadeOf } from "./made-of";
import { Progress } from "./progress";
import { DeploySkeleton } from "./skeleton";
import { Timeline } from "./timeline";
import { Way } from "./way";

/** One deploy, from the asking to its end. */
export function DeployPage() {
  const { id: text } = useParams({ from: "/app/deploys/$id" });
  const id = Number(text);
  const {
    data: deploy,
    error,
    refetch,
  } = useQuery({
    ...deployQuery(id),
    enabled: Number.isSafeInteger(id),
  });
  usePage(
    [
      { label: "Workloads", to: "/workloads" },
      ...(deploy ? [{ label: deploy.workload, to: `/workloads/${deploy.workload}` }] : []),
      { label: `Deploy ${text}` },
    ],
    deploy ? `${deployHeadline(deploy)} · ${deploy.workload}` : undefined,
  );
  if (isMissing(error) || !Number.isSafeInteger(id)) {
    return (
      <Empty page title={`There is no deploy ${text}`}>
        <Button asChild>
          <Link to="/activity">See all deploys</Link>
        </Button>
      </Empty>
    );
  }
  return (
    <>
      {error && !deploy && (
        <h1 className="page-x pt-4 text-xl font-semibold tracking-tight">Deploy {text}</h1>
      )}
      {error && <ProblemView error={error} onRetry={() => refetch()} className="page-x py-4" />}
      {deploy ? <DeployBody deploy={deploy} /> : !error && <DeploySkeleton />}
    </>
  );
}

function DeployBody({ deploy }: { deploy: Deploy }) {
  const active = isDeployActive(deploy.state);
  useWatchDeploy(deploy.id, active);
  const cancel = useCancel(deploy);
  const hold = useHold(deploy);
  const again = useAgain(deploy);
  // A pull request's commit is deployed again from its own page.
  const mayRepeat = !active && deploy.pull_request == null;
  const actions = useMemo<Action[]>(
    () => [
      ...(active
        ? [
            {
              id: "cancel-deploy",
              label: `Cancel deploy ${deploy.id}`,
              group: "This page" as const,
              keywords: "stop abort",
              run: cancel,
            },
          ]
        : []),
      ...(mayRepeat
        ? [
            {
              id: "deploy-again",
              label: `Deploy ${shortSha(deploy.commit)} again`,
              group: "This page" as const,
              shortcut: "d",
              run: again,
            },
          ]
        : []),
    ],
    [active, mayRepeat, deploy.id, deploy.commit, cancel, again],
  );
  useActions(actions);

  return (
    <>
      <DeployHeader
        deploy={deploy}
        onCancel={active ? cancel : null}
        onHold={active ? hold : null}
        onAgain={mayRepeat ? again : null}
      />
      <HeldSection deploy={deploy} />
      {deploy.hotfix && <MadeOf hotfix={deploy.hotfix} workload={deploy.workload} />}
      {deploy.state === "failed" && <Failure deploy={deploy} />}
      {mayRevert(deploy) && (
        <RevertSection
          rollback={deploy.id}
          workload={deploy.workload}
          left={deploy.left_deploy}
          revert={deploy.revert}
        />
      )}
      {deploy.state === "failed" && deploy.pull_request == null && (
        <RevertOfFailed deploy={deploy} />
      )}
      {active && deploy.pull_request == null ? (
        <LivePods deploy={deploy} />
      ) : (
        <Progress deploy={deploy} status={undefined} />
      )}
      <Way deploy={deploy} />
      <Timeline deploy={deploy} />
      <Images images={deploy.images} />
    </>
  );
}

/** While pods change, the cluster's own picture of them. */
function LivePods({ deploy }: { deploy: Deploy }) {
  useWatchWorkload(deploy.workload);
  const { data: status } = useQuery(statusQuery(deploy.workload));
  const changing = deploy.state === "rolling_out" || deploy.state === "verifying";
  return <Progress deploy={deploy} status={changing ? status : undefined} />;
}

/** The page changes at once; a refusal changes it back. */
function useCancel(deploy: Deploy): () => void {
  const client = useQueryClient();
  const { mutate } = useMutation({
    mutationFn: () => api.cancelDeploy(deploy.id),
    onMutate: () => {
      client.setQueryData<Deploy>(keys.deploy(deploy.id), (it) =>
        it ? { ...it, message: "Being canceled" } : it,
      );
    },
    onError: (error) => toastProblem("The deploy goes on", error),
    onSettled: () => client.invalidateQueries({ queryKey: keys.deploy(deploy.id) }),
    onSuccess: (answer) => {
      if (answer && typeof answer === "object" && "state" in answer) {
        applyDeploy(client, answer as Deploy);
      }
    },
  });
  return mutate;
}

/** Holds the rollout, or lets it go on. */
function useHold(deploy: Deploy): () => void {
  const client = useQueryClient();
  const held = deploy.paused_by != null;
  const { mutate } = useMutation({
    mutationFn: () => (held ? api.resumeDeploy(deploy.id) : api.pauseDeploy(deploy.id)),
    onError: (error) => toastProblem(held ? "It stays held" : "It cannot be held", error),
    onSuccess: (answer) => applyDeploy(client, answer),
    onSettled: () => client.invalidateQueries({ queryKey: keys.deploy(deploy.id) }),
  });
  return mutate;
}

function useAgain({ workload, commit }: Deploy): () => void {
  const navigate = useNavigate();
  return useMemo(
    () => () =>
      navigate({
        to: "/workloads/$name",
        params: { name: workload },
        search: { deploy: commit },
      }),
    [navigate, workload, commit],
  );
}
