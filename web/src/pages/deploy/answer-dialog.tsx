import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { applyDeploy } from "@/api/cache";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { Deploy } from "@/api/types";
import { Button } from "@/components/button";
import { CommitLine } from "@/components/commit";
import { Dialog } from "@/components/dialog";
import { Field } from "@/components/field";
import { ProblemView } from "@/components/problem";

interface Props {
  deploy: Deploy;
  answer: "approve" | "reject";
  onClose: () => void;
}

/** Approves a deploy that waits for it, or ends it. */
export function AnswerDialog({ deploy, answer, onClose }: Props) {
  const form = useId();
  const client = useQueryClient();
  const [text, setText] = useState("");
  const words = text.trim();
  const approve = answer === "approve";
  const send = useMutation({
    mutationFn: () =>
      approve ? api.approveDeploy(deploy.id, words || null) : api.rejectDeploy(deploy.id, words),
    onSuccess: (answered) => {
      applyDeploy(client, answered);
      void client.invalidateQueries({ queryKey: keys.deploy(deploy.id) });
      onClose();
    },
  });
  const ready = approve || words !== "";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && !send.isPending) send.mutate();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={
        <span className="wrap-anywhere">
          {approve ? "Approve" : "Reject"} deploy {deploy.id} of {deploy.workload}
        </span>
      }
      description={`Asked for by ${deploy.requested_by}`}
      footer={
        <Button
          look={approve ? "primary" : "danger"}
          type="submit"
          form={form}
          disabled={!ready}
          busy={send.isPending}
        >
          {approve ? "Approve" : "Reject"} deploy {deploy.id}
        </Button>
      }
    >
      <CommitLine commit={deploy.commit} title={deploy.title} />
      <p className="mt-2 text-muted">
        {approve
          ? "It counts for exactly this commit and what is built of it."
          : "The deploy ends as canceled, with these words. The way back is to deploy it again."}
      </p>
      <form id={form} onSubmit={submit} className="mt-4">
        <Field
          data-first
          label={approve ? "Comment" : "Reason"}
          placeholder={approve ? "Optional; kept with the approval" : "Why it should not go out"}
          required={!approve}
          maxLength={1000}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </form>
      {send.error && <ProblemView error={send.error} className="mt-4" />}
    </Dialog>
  );
}
