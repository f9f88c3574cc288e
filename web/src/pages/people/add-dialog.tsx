import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { Principal } from "@/api/types";
import { Field } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { ROLES, type Role, wrongName } from "@/lib/people";

interface Props {
  onClose: () => void;
  /** They cannot sign in yet: a link or a token comes next. */
  onAdded: (added: Principal) => void;
}

/** A name and a role. */
export function AddDialog({ onClose, onAdded }: Props) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const wrong = wrongName(name.trim());
  const add = useMutation({
    mutationFn: () => api.createPrincipal({ name: name.trim(), role }),
    onSuccess: (added) => {
      client.setQueryData<Principal[]>(keys.principals, (list) => list && [...list, added]);
      void client.invalidateQueries({ queryKey: keys.principals });
      onAdded(added);
    },
  });
  return (
    <FormDialog
      title="Add a person or program"
      description="They sign in with a link or a token, which comes next."
      action={name.trim() === "" || name.length > 32 ? "Add" : `Add ${name.trim()}`}
      ready={name.trim() !== "" && wrong === null}
      ask={add}
      onClose={onClose}
    >
      <Field
        data-first
        label="Name"
        placeholder="ada"
        help={wrong ?? "It cannot be changed later"}
        invalid={wrong !== null}
        required
        maxLength={63}
        autoCapitalize="none"
        value={name}
        onChange={(event) => setName(event.target.value)}
        className="max-w-72"
      />
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1 font-medium">Role</legend>
        {ROLES.map(({ value, label, may }) => (
          <label key={value} className="flex items-start gap-2.5">
            <input
              type="radio"
              name="role"
              value={value}
              checked={role === value}
              // The keyboard enters and leaves by the chosen one: the dialog's trap counts the others, too.
              tabIndex={role === value ? 0 : -1}
              onChange={() => setRole(value)}
              className="mt-0.5 size-4 shrink-0 accent-accent"
            />
            <span className="min-w-0 flex-1">
              {label}
              <span className="block text-xs text-faint first-letter:uppercase">{may}</span>
            </span>
          </label>
        ))}
      </fieldset>
    </FormDialog>
  );
}
