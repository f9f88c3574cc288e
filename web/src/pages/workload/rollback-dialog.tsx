import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { applyDeploy } from "@/api/cache";
import { api, idempotencyKey } from "@/api/client";
import { isNothingToRollBack, isUnreachable } from "@/api/problem";
import { keys, rollbackQuery } from "@/api/queries";
import { proposeRevert } from "@/api/revert";
import type { RollbackPlan, Workload } from "@/api/types";
import { Button } from "@/components/button";
import { Sha } from "@/components/commit";
import { Comparison } from "@/components/comparison";
import { Dialog } from "@/components/dialog";
import { Check, Field } from "@/components/field";
import { ProblemView } from "@/components/problem";
import { Bone, Loading } from "@/components/skeleton";
import { Ago } from "@/components/time";
import { shortSha } from "@/lib/format";

interface Props {
  workload: Workload;
  /** A deploy's number; the previous good one when absent. */
  to: number | undefined;
  onClose: () => void;
}

const NOTHING =
  "Deploy a commit that is right, or open a deploy of the history and roll back to it.";

/** What changes, what is marked, and one button; nothing is built. */
export function RollbackDialog({ workload, to, onClose }: Props) {
  const { name } = workload;
  const form = useId();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [reason, setReason] = useState("");
  const [override, setOverride] = useState("");
  const [revert, setRevert] = useState(false);
  const [key] = useState(idempotencyKey);
  const plan = useQuery(rollbackQuery(name, to));
  const rollback = useMutation({
    mutationFn: (target: number) =>
      api.rollback(
        name,
        { to: target, reason: reason.trim() || null, override_bad: override.trim() || null },
        key,
      ),
    onSuccess: async (started) => {
      applyDeploy(client, started);
      void client.invalidateQueries({ queryKey: keys.deploysOf(name) });
      void client.invalidateQueries({ queryKey: keys.workload(name) });
      // It goes on while the rollback's page shows how it goes.
      if (revert) void proposeRevert(client, started.id);
      await navigate({ to: "/deploys/$id", params: { id: String(started.id) } });
    },
  });
  const ready = plan.data !== undefined && (!plan.data.bad || override.trim() !== "");
  // Once it is known what would change, Enter confirms it; not before.
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const lost = document.activeElement?.getAttribute("role") === "dialog";
    if (ready && lost) button.current?.focus();
  }, [ready]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && plan.data) rollback.mutate(plan.data.to.id);
  };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={<span className="wrap-anywhere">Roll back {name}</span>}
      description={`${workload.category}, namespace ${workload.namespace}`}
      footer={
        plan.error ? undefined : (
          <Button
            ref={button}
            look="primary"
            type="submit"
            data-confirm
            form={form}
            disabled={!ready}
            busy={rollback.isPending}
          >
            Roll back{" "}
            {plan.data && (
              <>
                to <span className="font-mono text-xs">{shortSha(plan.data.to.commit)}</span>
              </>
            )}
          </Button>
        )
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4">
        {plan.isPending && (
          <div className="flex h-20 items-center">
            <Loading what="what would change" />
            <Bone className="w-2/3" />
          </div>
        )}
        {plan.error && (
          <ProblemView
            error={plan.error}
            hint={isNothingToRollBack(plan.error) ? NOTHING : undefined}
            onRetry={isUnreachable(plan.error) ? () => plan.refetch() : undefined}
          />
        )}
        {plan.data && <Plan plan={plan.data} />}
        {plan.data?.bad && (
          <Field
            label="Why this version is right all the same"
            maxLength={1000}
            value={override}
            onChange={(event) => setOverride(event.target.value)}
          />
        )}
        {!plan.error && (
          <Field
            label="What is wrong with the version that runs"
            placeholder="Optional; it is marked as bad with this reason"
            maxLength={1000}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        )}
        {plan.data && plan.data.leaving.length > 0 && (
          <Check
            label="Propose revert as a pull request, too"
            help="The repository still has the commits that leave, and its next deploy would bring them out again"
            checked={revert}
            onChange={setRevert}
          />
        )}
      </form>
      {rollback.error && <ProblemView error={rollback.error} className="mt-4" />}
    </Dialog>
  );
}

function Plan({ plan }: { plan: RollbackPlan }) {
  return (
    <>
      <p>
        <Sha commit={plan.from.commit} /> of deploy {plan.from.id} leaves, and{" "}
        <Sha commit={plan.to.commit} /> of deploy {plan.to.id} comes back as it ran{" "}
        <Ago at={plan.to.created_at} />. Nothing is built.
      </p>
      {plan.bad && (
        <p className="break-words text-failed">
          That version is marked as bad by {plan.bad.by}: {plan.bad.reason}
        </p>
      )}
      <Comparison change={plan} />
      <p className="text-muted">
        {plan.pinned ? "The workload stays pinned" : "The workload is pinned"}, so that no push
        brings <Sha commit={plan.from.commit} /> out again, and its artifact is marked as bad.
      </p>
    </>
  );
}
