import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { forgetWorkload } from "@/api/cache";
import { api } from "@/api/client";
import type { Workload } from "@/api/types";
import { Button } from "@/components/button";
import { Field } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { plural } from "@/lib/format";

interface Props {
  workload: Workload;
  onClose: () => void;
}

/** Shows what will stop, and asks for the name once. */
export function DeleteDialog({ workload, onClose }: Props) {
  const { name } = workload;
  const [typed, setTyped] = useState("");
  const client = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () => api.deleteWorkload(name, workload.version),
    onSuccess: async () => {
      await navigate({ to: "/workloads" });
      forgetWorkload(client, name);
    },
  });
  return (
    <FormDialog
      title={`Delete ${name}`}
      description={`${workload.category}, namespace ${workload.namespace}`}
      action={`Delete ${name.length > 32 ? "the workload" : name}`}
      danger
      ready={typed === name}
      ask={remove}
      onClose={onClose}
      beside={<Button onClick={onClose}>Keep it</Button>}
    >
      <div>
        <p>
          {workload.pods_desired > 0
            ? `${plural(workload.pods_desired, "pod")} ${workload.pods_desired === 1 ? "stops" : "stop"}, and everything that Kubernetes has of it is removed.`
            : "Everything that Kubernetes has of it is removed."}{" "}
          The repository, the images and the history stay.
        </p>
        <p className="mt-2 text-muted">
          The way back: create it again from the same repository, and deploy.
        </p>
      </div>
      <Field
        data-first
        label="Type the workload's name to confirm"
        placeholder={name}
        mono
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
      />
    </FormDialog>
  );
}
