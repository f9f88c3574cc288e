import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, idempotencyKey } from "@/api/client";
import { workloadsQuery } from "@/api/queries";
import type { Freeze } from "@/api/types";
import { useChange } from "@/api/use-change";
import { EndField, useEnd } from "@/components/end-field";
import { Field } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { ReasonField } from "@/components/reason-field";

interface CreateProps {
  /** Its workloads only; asked for when absent. */
  project?: string;
  onClose: () => void;
}

export function CreateFreezeDialog({ project: given, onClose }: CreateProps) {
  const { data: workloads } = useQuery(workloadsQuery);
  const projects = [...new Set(workloads?.map((it) => it.project))].sort();
  const [begin, setBegin] = useState("");
  const [reason, setReason] = useState("");
  const [project, setProject] = useState(given ?? "");
  const [key] = useState(idempotencyKey);
  const from = begin === "" ? null : Date.parse(begin);
  const end = useEnd(from);
  const of = project.trim();
  const unknown = of !== "" && workloads !== undefined && !projects.includes(of);
  const ask = useChange(onClose, () =>
    api.createFreeze(
      {
        reason: reason.trim(),
        project: of || null,
        from: from === null ? null : new Date(from).toISOString(),
        until: end.until,
      },
      key,
    ),
  );
  return (
    <FormDialog
      title="Create a freeze"
      action={of === "" ? "Freeze everything" : `Freeze project ${of}`}
      danger={of === ""}
      ready={reason.trim() !== "" && end.wrong === null && !Number.isNaN(from)}
      ask={ask}
      onClose={onClose}
    >
      <p>
        {of === "" ? "All deploys" : `Deploys of project ${of}`} wait while it holds; rollbacks and
        restarts pass. The way back is to end the freeze.
      </p>
      <ReasonField first value={reason} onChange={setReason} />
      {given === undefined && (
        <Field
          label="Project"
          help={unknown ? "No workload is of this project now" : "All workloads when empty"}
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
      <EndField open="Until somebody ends it" {...end.field} />
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
