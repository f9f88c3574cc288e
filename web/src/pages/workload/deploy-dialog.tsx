import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useEffect, useId, useMemo, useRef, useState } from "react";
import { applyDeploy } from "@/api/cache";
import { api, idempotencyKey } from "@/api/client";
import { isHeld } from "@/api/problem";
import { commitsQuery, keys } from "@/api/queries";
import type { Commit, Page, Workload } from "@/api/types";
import { Button } from "@/components/button";
import { Dialog } from "@/components/dialog";
import { Field } from "@/components/field";
import { ProblemView } from "@/components/problem";
import { Bone, Loading } from "@/components/skeleton";
import { shortSha } from "@/lib/format";
import { ChangeView } from "./change-view";
import { CommitPicker } from "./commit-picker";

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
  const form = useId();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [picked, setPicked] = useState<string | null>(commit === "newest" ? null : commit);
  const [reason, setReason] = useState("");
  const [override, setOverride] = useState("");
  const [key] = useState(idempotencyKey);
  const query = useInfiniteQuery(commitsQuery(name, workload.default_branch, ""));
  const listed = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  const elsewhere = useMemo(
    () => (picked === null ? undefined : findCommit(client, name, picked)),
    [client, name, picked],
  );
  const newest = listed?.[0]?.id ?? null;
  const target = picked ?? newest;
  const chosen = listed?.find((it) => target !== null && it.id.startsWith(target)) ?? elsewhere;
  const id = chosen?.id ?? target;

  const deploy = useMutation({
    mutationFn: (commitId: string) =>
      api.createDeploy(name, commitId, reason.trim() || null, override.trim() || null, key),
    onSuccess: async (started) => {
      applyDeploy(client, started);
      void client.invalidateQueries({ queryKey: keys.deploysOf(name) });
      await navigate({ to: "/deploys/$id", params: { id: String(started.id) } });
    },
  });
  // Once it is known what would be deployed, Enter confirms it; not before.
  const button = useRef<HTMLButtonElement>(null);
  const known = id !== null;
  useEffect(() => {
    const lost = document.activeElement?.getAttribute("role") === "dialog";
    if (known && lost) button.current?.focus();
  }, [known]);
  const held = isHeld(deploy.error);
  const why = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (held) why.current?.focus();
  }, [held]);
  const pick = (next: string) => {
    setPicked(next);
    // What was refused was another commit.
    deploy.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (id !== null) deploy.mutate(id);
  };

  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={<span className="wrap-anywhere">Deploy {name}</span>}
      description={`${workload.category}, namespace ${workload.namespace}`}
      footer={
        <Button
          ref={button}
          look="primary"
          type="submit"
          data-confirm
          form={form}
          disabled={id === null || (held && override.trim() === "")}
          busy={deploy.isPending}
        >
          Deploy {id === null ? "" : <span className="font-mono text-xs">{shortSha(id)}</span>}
        </Button>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4">
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
        {listed?.length === 0 && (
          <p className="text-muted">
            {workload.default_branch} has no commits yet. Push one, and it can be deployed.
          </p>
        )}
        <Field
          label="Reason"
          placeholder="Optional; whoever looks at the history will see it"
          maxLength={1000}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
        {deploy.error && <ProblemView error={deploy.error} hint={held ? HELD : undefined} />}
        {held && (
          <Field
            ref={why}
            label="Why it is right to deploy it all the same"
            help="Kept with the deploy"
            maxLength={1000}
            value={override}
            onChange={(event) => setOverride(event.target.value)}
          />
        )}
      </form>
    </Dialog>
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
