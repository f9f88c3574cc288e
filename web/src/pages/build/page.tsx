import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { applyBuild } from "@/api/cache";
import { api, idempotencyKey } from "@/api/client";
import { isMissing } from "@/api/problem";
import { buildQuery, keys } from "@/api/queries";
import type { Build } from "@/api/types";
import { Button } from "@/components/button";
import { Empty } from "@/components/empty";
import { ProblemView } from "@/components/problem";
import { toastProblem } from "@/components/toast";
import { type Action, useActions } from "@/frame/actions";
import { usePage } from "@/frame/page";
import { shortSha } from "@/lib/format";
import { BUILD, isBuildActive } from "@/lib/status";
import { BuildHeader, BuildSkeleton } from "./header";
import { BuildLog } from "./log";

/** One build: its steps, and what each of them wrote. */
export function BuildPage() {
  const { id: text } = useParams({ from: "/app/builds/$id" });
  const id = Number(text);
  const {
    data: build,
    error,
    refetch,
  } = useQuery({
    ...buildQuery(id),
    enabled: Number.isSafeInteger(id),
  });
  usePage(
    [
      { label: "Workloads", to: "/workloads" },
      ...(build ? [{ label: build.workload, to: `/workloads/${build.workload}` }] : []),
      { label: `Build ${text}` },
    ],
    build ? `Build ${BUILD[build.state].word.toLowerCase()} · ${build.workload}` : undefined,
  );
  if (isMissing(error) || !Number.isSafeInteger(id)) {
    return (
      <Empty page title={`There is no build ${text}`}>
        <Button asChild>
          <Link to="/builds">See all builds</Link>
        </Button>
      </Empty>
    );
  }
  return (
    <div className="flex h-full min-h-120 flex-col">
      {error && <ProblemView error={error} onRetry={() => refetch()} className="page-x py-4" />}
      {build ? <BuildBody build={build} /> : !error && <BuildSkeleton />}
    </div>
  );
}

function BuildBody({ build }: { build: Build }) {
  const active = isBuildActive(build.state);
  const { cancel, retry } = useBuildActions(build);
  const mayRetry = build.state === "failed" || build.state === "canceled";
  const actions = useMemo<Action[]>(() => {
    const offered: Action[] = [];
    if (active) {
      const label = `Cancel build ${build.id}`;
      offered.push({
        id: "cancel-build",
        label,
        group: "This page",
        keywords: "stop",
        run: cancel,
      });
    }
    if (mayRetry) {
      const label = `Build ${shortSha(build.commit)} again`;
      offered.push({ id: "retry-build", label, group: "This page", keywords: "retry", run: retry });
    }
    return offered;
  }, [active, mayRetry, build.id, build.commit, cancel, retry]);
  useActions(actions);
  return (
    <>
      <BuildHeader
        build={build}
        onCancel={active ? cancel : null}
        onRetry={mayRetry ? retry : null}
      />
      <BuildLog key={`${build.id}-${build.attempt}`} build={build} />
    </>
  );
}

function useBuildActions(build: Build) {
  const client = useQueryClient();
  const settled = () => client.invalidateQueries({ queryKey: keys.build(build.id) });
  const { mutate: cancel } = useMutation({
    mutationFn: () => api.cancelBuild(build.id),
    onError: (error) => toastProblem("The build goes on", error),
    onSettled: settled,
  });
  const { mutate: retry } = useMutation({
    mutationFn: () => api.createBuild(build.workload, build.commit, true, idempotencyKey()),
    onSuccess: (next) => applyBuild(client, next),
    onError: (error) => toastProblem(`${shortSha(build.commit)} is not being built`, error),
    onSettled: settled,
  });
  return useMemo(() => ({ cancel: () => cancel(), retry: () => retry() }), [cancel, retry]);
}
