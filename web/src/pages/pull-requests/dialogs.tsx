import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, idempotencyKey } from "@/api/client";
import { isHeld } from "@/api/problem";
import { keys } from "@/api/queries";
import type { PullRequest, Workload } from "@/api/types";
import { useChange } from "@/api/use-change";
import { CommitLine } from "@/components/commit";
import { Field } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { ProblemView } from "@/components/problem";
import { OverrideField, ReasonField, SEEN_IN_HISTORY } from "@/components/reason-field";
import { toast } from "@/components/toast";
import { plural, shortSha } from "@/lib/format";
import { wholeNumber } from "@/lib/number";
import { isCounted, runsOnce, sleeps } from "@/lib/previews";
import { RunForm } from "@/pages/workload/run-form";

interface Props {
  workload: Workload;
  pull: PullRequest;
  onClose: () => void;
}

const MOST_PODS = 10;
const HELD = "Push another commit, or say why it is right to deploy this one all the same.";

/** Brings the newest commit out, beside the workload. */
export function DeployPullDialog({ workload, pull, onClose }: Props) {
  const { name } = workload;
  const navigate = useNavigate();
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const [override, setOverride] = useState("");
  const [pods, setPods] = useState(
    String(pull.preview?.replicas || workload.previews?.replicas || 1),
  );
  const [key] = useState(idempotencyKey);
  const counted = isCounted(workload.workload_type);
  const replicas = wholeNumber(pods);
  const fits = !counted || (replicas !== null && replicas >= 1 && replicas <= MOST_PODS);
  const ask = useMutation({
    mutationFn: () =>
      api.deployPullRequest(
        name,
        pull.number,
        {
          reason: reason.trim() || null,
          override_bad: override.trim() || null,
          ...(counted ? { replicas } : {}),
        },
        key,
      ),
    onSuccess: (deploy) => {
      void client.invalidateQueries({ queryKey: keys.pulls(name) });
      void navigate({ to: "/deploys/$id", params: { id: String(deploy.id) } });
    },
  });
  const held = isHeld(ask.error);
  return (
    <FormDialog
      title={`Deploy pull request ${pull.number}`}
      description={`Beside ${name}, in namespace ${workload.namespace}`}
      action={
        <>
          Deploy <span className="font-mono text-xs">{shortSha(pull.head)}</span>
        </>
      }
      ready={fits && !(held && override.trim() === "")}
      // What was refused stands above the field that may let it through.
      ask={{ ...ask, error: null }}
      onClose={onClose}
    >
      <div>
        <CommitLine commit={pull.head} title={pull.title} />
        <p className="mt-2 text-muted">
          {runsOnce(workload.workload_type)
            ? "It is built where needed, and runs once."
            : `It is built where needed. What runs as ${name} stays as it is; secrets, databases and volumes that the config file names are shared with it.`}
        </p>
      </div>
      {counted && (
        <Field
          label="Pods"
          inputMode="numeric"
          help={`1 to ${MOST_PODS}`}
          invalid={!fits}
          value={pods}
          onChange={(event) => setPods(event.target.value)}
          className="max-w-72"
        />
      )}
      <ReasonField first optional={SEEN_IN_HISTORY} value={reason} onChange={setReason} />
      {ask.error && <ProblemView error={ask.error} hint={held ? HELD : undefined} />}
      {held && <OverrideField value={override} onChange={setOverride} />}
    </FormDialog>
  );
}

/** A pull request's cron job never runs by its schedule. */
export const RunPullDialog = ({ workload, pull, onClose }: Props) => (
  <RunForm
    title={`Run pull request ${pull.number} once`}
    description={`Commit ${shortSha(pull.preview?.commit ?? pull.head)}, as its preview has it`}
    action={`Run pull request ${pull.number} once`}
    run={(body, key) => api.runPullRequest(workload.name, pull.number, body, key)}
    after={(client, run) => {
      void client.invalidateQueries({ queryKey: keys.pulls(workload.name) });
      toast(`Run ${run.name} of pull request ${pull.number} begins`);
    }}
    onClose={onClose}
  />
);

/** Takes the preview out of the cluster; the pull request stays. */
export function RemovePreviewDialog({ workload, pull, onClose }: Props) {
  const pods = pull.preview?.replicas ?? 0;
  const counted = sleeps(workload.workload_type);
  const ask = useChange(
    onClose,
    () => api.removePreview(workload.name, pull.number),
    (client) => void client.invalidateQueries({ queryKey: keys.pulls(workload.name) }),
  );
  return (
    <FormDialog
      title={`Remove the preview of pull request ${pull.number}`}
      description={pull.preview?.instance}
      action="Remove the preview"
      danger
      ready
      ask={ask}
      onClose={onClose}
    >
      <p>
        It goes from the cluster with all that belongs to it
        {pods > 0 && counted ? `: ${plural(pods, "pod")}` : ""}
        {workload.workload_type === "PinterestStatefulset" ? " with their volumes" : ""}. Its
        address and its shared link answer no more. The pull request stays, and so does{" "}
        {workload.name}.
      </p>
      <p className="text-muted">The way back is to deploy the pull request again.</p>
    </FormDialog>
  );
}
