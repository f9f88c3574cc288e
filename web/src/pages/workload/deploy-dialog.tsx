import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { api, idempotencyKey } from "@/api/client";
import { isHeld } from "@/api/problem";
import { commitsQuery, keys, rulesQuery } from "@/api/queries";
import type { Commit, Page, Workload } from "@/api/types";
import { FormDialog } from "@/components/form-dialog";
import { ProblemView } from "@/components/problem";
import { OverrideField, ReasonField, SEEN_IN_HISTORY } from "@/components/reason-field";
import { Bone, Loading } from "@/components/skeleton";
import { shortSha } from "@/lib/format";
import { Holds } from "@/pages/rules/holds";
import { ChangeView } from "./change-view";
import { CommitPicker } from "./commit-picker";
import { useBegin } from "./use-begin";

interface Props {
  workload: Workload;
  /** A commit's id, or "newest". */
  commit: string;
  onClose: () => void;
}

const HELD = "Choose another commit, or say why it is right to deploy this one all the same.";

/** Which commit, what that changes, and one button. */
export function DeployDialog({ workload, commit, onClose }: Props) {
  const { name } = workload;
  const client = useQueryClient();
  const [picked, setPicked] = useState<string | null>(commit === "newest" ? null : commit);
  const [reason, setReason] = useState("");
  const [override, setOverride] = useState("");
  const [key] = useState(idempotencyKey);
  const query = useInfiniteQuery(commitsQuery(name, workload.default_branch, ""));
  // What the rules say changes with the time: it is asked anew each time.
  const { data: rules } = useQuery({ ...rulesQuery(name), staleTime: 0 });
  const listed = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  const elsewhere = useMemo(
    () => (picked === null ? undefined : findCommit(client, name, picked)),
    [client, name, picked],
  );
  const newest = listed?.[0]?.id ?? null;
  const target = picked ?? newest;
  const chosen = listed?.find((it) => target !== null && it.id.startsWith(target)) ?? elsewhere;
  const id = chosen?.id ?? target;

  const deploy = useBegin(name, (commitId: string) =>
    api.createDeploy(name, commitId, reason.trim() || null, override.trim() || null, key),
  );
  const held = isHeld(deploy.error);
  const pick = (next: string) => {
    setPicked(next);
    // What was refused was another commit.
    deploy.reset();
  };
  return (
    <FormDialog
      wide
      title={`Deploy ${name}`}
      description={`${workload.category}, namespace ${workload.namespace}`}
      action={
        <>Deploy {id === null ? "" : <span className="font-mono text-xs">{shortSha(id)}</span>}</>
      }
      ready={id !== null && !(held && override.trim() === "")}
      confirm
      // What was refused stands above the field that may let it through.
      ask={{ ...deploy, mutate: () => id !== null && deploy.mutate(id), error: null }}
      onClose={onClose}
    >
      {query.isPending && (
        <div className="flex h-20 items-center">
          <Loading what="commits" />
          <Bone className="w-2/3" />
        </div>
      )}
      {query.error && <ProblemView error={query.error} onRetry={() => query.refetch()} />}
      {listed && (
        <CommitPicker
          commits={listed}
          chosen={chosen}
          id={id}
          startOpen={commit === "newest"}
          onPick={pick}
        />
      )}
      {id !== null && (
        <ChangeView
          commits={listed ?? []}
          current={workload.current ?? null}
          target={id}
          chosen={chosen}
          pods={workload.pods_desired}
        />
      )}
      {rules && !rules.verdict.allowed && (
        <section aria-label="What it would wait for" className="rounded-md bg-rail px-3 py-2.5">
          <Holds verdict={rules.verdict} />
        </section>
      )}
      {listed?.length === 0 && (
        <p className="text-muted">
          {workload.default_branch} has no commits yet. Push one, and it can be deployed.
        </p>
      )}
      <ReasonField optional={SEEN_IN_HISTORY} value={reason} onChange={setReason} />
      {deploy.error && <ProblemView error={deploy.error} hint={held ? HELD : undefined} />}
      {held && <OverrideField value={override} onChange={setOverride} />}
    </FormDialog>
  );
}

/** A commit of another branch, if some list of the page has it. */
function findCommit(
  client: ReturnType<typeof useQueryClient>,
  name: string,
  id: string,
): Commit | undefined {
  const lists = client.getQueriesData<{ pages: Page<Commit>[] }>({ queryKey: keys.commits(name) });
  return lists
    .flatMap(([, data]) => data?.pages ?? [])
    .flatMap((page) => page.items)
    .find((commit) => commit.id.startsWith(id));
}
