import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import { Field } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { OnceDialog } from "@/components/once-dialog";

interface Props {
  /** Somebody else whose token it is to be; one's own when absent. */
  of?: string;
  onClose: () => void;
}

/** Names a token, then shows its secret this once. */
export function CreateTokenDialog({ of, onClose }: Props) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const create = useMutation({
    mutationFn: () =>
      of === undefined ? api.createToken(name.trim()) : api.createTokenFor(of, name.trim()),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.tokens }),
    // The answer has the secret: it goes with the dialog.
    gcTime: 0,
  });
  if (create.data) {
    return (
      <OnceDialog
        title={`${create.data.token.name} is created`}
        description="Copy its secret now. It is shown this once."
        secret={create.data.secret}
        label="Copy the secret"
        onClose={onClose}
      >
        Programs send it as <code className="font-mono text-xs">Authorization: Bearer …</code>, and
        the command line reads it from <code className="font-mono text-xs">HERMEZ_TOKEN</code>.
      </OnceDialog>
    );
  }
  return (
    <FormDialog
      title={of === undefined ? "Create a token" : `Create a token of ${of}`}
      description={`It may do what ${of ?? "you"} may, until it is revoked.`}
      action="Create the token"
      ready={name.trim() !== ""}
      ask={create}
      onClose={onClose}
    >
      <Field
        data-first
        label="What it is for"
        placeholder="ci"
        required
        maxLength={100}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
    </FormDialog>
  );
}
