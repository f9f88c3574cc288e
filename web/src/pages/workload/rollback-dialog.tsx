import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, idempotencyKey } from "@/api/client";
import { isNothingToRollBack, isUnreachable } from "@/api/problem";
import { keys, rollbackQuery } from "@/api/queries";
import { proposeRevert } from "@/api/revert";
import type { RollbackPlan, Workload } from "@/api/types";
import { Button } from "@/components/button";
import { Sha } from "@/components/commit";
import { Comparison } from "@/components/comparison";
import { Check } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { ProblemView } from "@/components/problem";
import { ReasonField } from "@/components/reason-field";
import { Bone, Loading } from "@/components/skeleton";
import { Ago } from "@/components/time";
import { shortSha } from "@/lib/format";
import { useBegin } from "./use-begin";

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
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const [override, setOverride] = useState("");
  const [revert, setRevert] = useState(false);
  const [key] = useState(idempotencyKey);
  const plan = useQuery(rollbackQuery(name, to));
  const rollback = useBegin(
    name,
    (target: number) =>
      api.rollback(
        name,
        {
          to: target,
          from: plan.data?.from.id,
          reason: reason.trim() || null,
          override_bad: override.trim() || null,
        },
        key,
      ),
    (started) => {
      void client.invalidateQueries({ queryKey: keys.workload(name) });
      // It goes on while the rollback's page shows how it goes.
      if (revert) void proposeRevert(client, started.id);
    },
  );
  const target = plan.data?.to;
  return (
    <FormDialog
      wide
      title={`Roll back ${name}`}
      description={`${workload.category}, namespace ${workload.namespace}`}
      action={
        plan.error ? null : (
          <>
            Roll back{" "}
            {target && (
              <>
                to <span className="font-mono text-xs">{shortSha(target.commit)}</span>
              </>
            )}
          </>
        )
      }
      ready={plan.data !== undefined && (!plan.data.bad || override.trim() !== "")}
      confirm
      ask={{ ...rollback, mutate: () => target && rollback.mutate(target.id) }}
      onClose={onClose}
    >
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
      {isNothingToRollBack(plan.error) && (
        <Button asChild className="self-start">
          <Link to="/workloads/$name/history" params={{ name }}>
            See the history
          </Link>
        </Button>
      )}
      {plan.data && <Plan plan={plan.data} />}
      {plan.data?.bad && (
        <ReasonField
          label="Why this version is right all the same"
          value={override}
          onChange={setOverride}
        />
      )}
      {!plan.error && (
        <ReasonField
          label="What is wrong with the version that runs"
          optional="Optional; it is marked as bad with this reason"
          value={reason}
          onChange={setReason}
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
    </FormDialog>
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
