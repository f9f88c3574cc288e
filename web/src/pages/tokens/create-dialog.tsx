import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import { Button } from "@/components/button";
import { Command } from "@/components/copy";
import { Dialog } from "@/components/dialog";
import { Field } from "@/components/field";
import { ProblemView } from "@/components/problem";

/** Names a token, then shows its secret this once. */
export function CreateTokenDialog({ onClose }: { onClose: () => void }) {
  const form = useId();
  const client = useQueryClient();
  const [name, setName] = useState("");
  const create = useMutation({
    mutationFn: () => api.createToken(name.trim()),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.tokens }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  if (create.data) {
    return (
      <Dialog
        open
        onClose={onClose}
        title={`${create.data.token.name} is created`}
        description="Copy its secret now. It is shown this once."
        footer={
          <Button look="primary" data-confirm onClick={onClose}>
            I have copied it
          </Button>
        }
      >
        <Command text={create.data.secret} />
        <p className="mt-3 text-muted">
          Programs send it as <code className="font-mono text-xs">Authorization: Bearer …</code>,
          and the command line reads it from <code className="font-mono text-xs">HERMEZ_TOKEN</code>
          .
        </p>
      </Dialog>
    );
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title="Create a token"
      description="It may do what you may, until it is revoked."
      footer={
        <Button
          look="primary"
          type="submit"
          form={form}
          disabled={name.trim() === ""}
          busy={create.isPending}
        >
          Create the token
        </Button>
      }
    >
      <form id={form} onSubmit={submit}>
        <Field
          data-first
          label="What it is for"
          placeholder="ci"
          required
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </form>
      {create.error && <ProblemView error={create.error} className="mt-4" />}
    </Dialog>
  );
}
