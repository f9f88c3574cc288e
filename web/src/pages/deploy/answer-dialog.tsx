import { useState } from "react";
import { applyDeploy } from "@/api/cache";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { Deploy } from "@/api/types";
import { useChange } from "@/api/use-change";
import { CommitLine } from "@/components/commit";
import { FormDialog } from "@/components/form-dialog";
import { ReasonField } from "@/components/reason-field";

interface Props {
  deploy: Deploy;
  answer: "approve" | "reject";
  onClose: () => void;
}

/** Approves a deploy that waits for it, or ends it. */
export function AnswerDialog({ deploy, answer, onClose }: Props) {
  const [text, setText] = useState("");
  const words = text.trim();
  const approve = answer === "approve";
  const send = useChange(
    onClose,
    () =>
      approve ? api.approveDeploy(deploy.id, words || null) : api.rejectDeploy(deploy.id, words),
    (client, answered) => {
      applyDeploy(client, answered);
      void client.invalidateQueries({ queryKey: keys.deploy(deploy.id) });
    },
  );
  const action = `${approve ? "Approve" : "Reject"} deploy ${deploy.id}`;
  return (
    <FormDialog
      title={`${action} of ${deploy.workload}`}
      description={`Asked for by ${deploy.requested_by}`}
      action={action}
      danger={!approve}
      ready={approve || words !== ""}
      ask={send}
      onClose={onClose}
    >
      <div>
        <CommitLine commit={deploy.commit} title={deploy.title} />
        <p className="mt-2 text-muted">
          {approve
            ? "It counts for exactly this commit and what is built of it."
            : "The deploy ends as canceled, with these words. The way back is to deploy it again."}
        </p>
        {!approve && deploy.kind === "rollback" && (
          <p className="mt-1 text-muted">
            The marks that it made are taken back; {deploy.workload} stays pinned until somebody
            takes the pin off.
          </p>
        )}
      </div>
      {approve ? (
        <ReasonField
          first
          label="Comment"
          optional="Optional; kept with the approval"
          value={text}
          onChange={setText}
        />
      ) : (
        <ReasonField first placeholder="Why it should not go out" value={text} onChange={setText} />
      )}
    </FormDialog>
  );
}
