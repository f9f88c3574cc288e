import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { refreshAll } from "@/api/cache";
import { api, idempotencyKey } from "@/api/client";
import { workloadsQuery } from "@/api/queries";
import type { Freeze } from "@/api/types";
import { EndField } from "@/components/end-field";
import { Field } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { endOf, NO_END } from "@/lib/span";

/** A freeze changes what every workload may do: everything is read anew. */
function useChange(onClose: () => void, change: () => Promise<unknown>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () => {
      refreshAll(client);
      onClose();
    },
  });
}

interface CreateProps {
  /** Its workloads only; asked for when absent. */
  project?: string;
  onClose: () => void;
}

export function CreateFreezeDialog({ project: given, onClose }: CreateProps) {
  const { data: workloads = [] } = useQuery(workloadsQuery);
  const projects = [...new Set(workloads.map((it) => it.project))].sort();
  const [begin, setBegin] = useState("");
  const [reason, setReason] = useState("");
  const [project, setProject] = useState(given ?? "");
  const [end, setEnd] = useState(NO_END);
  const [key] = useState(idempotencyKey);
  const from = begin === "" ? null : Date.parse(begin);
  const until = endOf(end, from ?? Date.now());
  const wrong = "wrong" in until ? until.wrong : null;
  const of = project.trim();
  const ask = useChange(onClose, () =>
    api.createFreeze(
      {
        reason: reason.trim(),
        project: of || null,
        from: from === null ? null : new Date(from).toISOString(),
        until: "until" in until ? until.until : null,
      },
      key,
    ),
  );
  return (
    <FormDialog
      title="Create a freeze"
      action={of === "" ? "Freeze everything" : `Freeze project ${of}`}
      danger={of === ""}
      ready={reason.trim() !== "" && wrong === null && !Number.isNaN(from)}
      ask={ask}
      onClose={onClose}
    >
      <p>
        {of === "" ? "All deploys" : `Deploys of project ${of}`} wait while it holds; rollbacks and
        restarts pass. The way back is to end the freeze.
      </p>
      <Field
        data-first
        label="Reason"
        required
        maxLength={1000}
        value={reason}
        onChange={(event) => setReason(event.target.value)}
      />
      {given === undefined && (
        <Field
          label="Project"
          help="All workloads when empty"
          value={project}
          options={projects}
          onChange={(event) => setProject(event.target.value)}
          className="max-w-72"
        />
      )}
      <Field
        label="Begins"
        type="datetime-local"
        help="Now when empty; by your clock"
        value={begin}
        onChange={(event) => setBegin(event.target.value)}
        className="max-w-72"
      />
      <EndField
        label="How long it holds"
        open="Until somebody ends it"
        end={end}
        onChange={setEnd}
        wrong={wrong}
      />
    </FormDialog>
  );
}

export function EndFreezeDialog({ freeze, onClose }: { freeze: Freeze; onClose: () => void }) {
  const ask = useChange(onClose, () => api.endFreeze(freeze.id));
  return (
    <FormDialog
      title={`End freeze ${freeze.id}`}
      description={freeze.project ? `Project ${freeze.project}` : "Of everything"}
      action={`End freeze ${freeze.id}`}
      danger
      ready
      ask={ask}
      onClose={onClose}
    >
      <p className="break-words">
        “{freeze.reason}”, by {freeze.by}. Deploys that wait for nothing else go on at once.
      </p>
    </FormDialog>
  );
}
