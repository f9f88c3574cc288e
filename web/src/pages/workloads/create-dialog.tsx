import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { applyWorkload } from "@/api/cache";
import { api, idempotencyKey } from "@/api/client";
import { problemOf } from "@/api/problem";
import { keys } from "@/api/queries";
import type { Category, CreateWorkload } from "@/api/types";
import { Button } from "@/components/button";
import { Dialog } from "@/components/dialog";
import { Field } from "@/components/field";
import { ProblemView } from "@/components/problem";
import { PlanView } from "./plan-view";

const BLANK: CreateWorkload = { repository: "", config: "", username: "", password: "" };

/** Two things are asked; what they lead to is read, shown, and confirmed. */
export function CreateDialog({ onClose }: { onClose: () => void }) {
  const form = useId();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [input, setInput] = useState<CreateWorkload>(BLANK);
  const [category, setCategory] = useState<Category>("Production");
  const [key] = useState(idempotencyKey);

  const [asksPassword, setAsksPassword] = useState(false);
  const plan = useMutation({
    mutationFn: () => api.plan(asked(input)),
    onError: (error) => wrongIn(error) === "password" && setAsksPassword(true),
  });
  const wrong = wrongIn(plan.error);
  const create = useMutation({
    mutationFn: () => api.createWorkload({ ...asked(input), category }, key),
    onSuccess: async (workload) => {
      client.setQueryData(keys.workload(workload.name), workload);
      applyWorkload(client, workload);
      await navigate({ to: "/workloads/$name", params: { name: workload.name } });
    },
  });
  const read = plan.data;
  // The dialog stays while its content changes, so the focus has to follow by itself.
  const confirm = useRef<HTMLButtonElement>(null);
  const config = useRef<HTMLInputElement>(null);
  const wasRead = useRef(false);
  useEffect(() => {
    const isRead = read !== undefined;
    if (isRead) confirm.current?.focus();
    else if (wasRead.current) config.current?.focus();
    wasRead.current = isRead;
  }, [read]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.reset();
    plan.mutate(undefined, { onSuccess: (answer) => setCategory(answer.category) });
  };
  const set = (change: Partial<CreateWorkload>) => setInput((before) => ({ ...before, ...change }));

  if (read) {
    return (
      <Dialog
        open
        wide
        onClose={onClose}
        title={`Create ${read.name}`}
        description="This is what Hermez read. Nothing is created yet."
        footer={
          <>
            <Button onClick={() => plan.reset()}>Back</Button>
            <Button
              ref={confirm}
              look="primary"
              data-confirm
              busy={create.isPending}
              onClick={() => create.mutate()}
            >
              Create {read.name.length > 32 ? "the workload" : read.name}
            </Button>
          </>
        }
      >
        <PlanView plan={read} category={category} onCategory={setCategory} />
        {create.error && <ProblemView error={create.error} className="mt-4" />}
      </Dialog>
    );
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title="Create a workload"
      description="Name, type, images and port are read from these two."
      footer={
        <Button look="primary" type="submit" form={form} busy={plan.isPending}>
          {plan.isPending ? "Reading the repository" : "Read the repository"}
        </Button>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4">
        <Field
          data-first
          label="Code repository"
          invalid={wrong === "repository"}
          type="url"
          required
          mono
          placeholder="https://git.example/team/hello.git"
          value={input.repository}
          onChange={(event) => set({ repository: event.target.value })}
          help="The Git repository's http or https address"
        />
        <Field
          ref={config}
          label="Kubernetes config file"
          invalid={wrong === "config"}
          required
          mono
          placeholder="deploy/service.yaml"
          value={input.config}
          onChange={(event) => set({ config: event.target.value })}
          help="Its path from the repository's root"
        />
        <details
          open={asksPassword}
          onToggle={(event) => setAsksPassword(event.currentTarget.open)}
        >
          <summary className="w-fit rounded-sm text-muted hover:text-text">
            The repository asks for a password
          </summary>
          <div className="mt-3 grid gap-4 sm:grid-cols-2">
            <Field
              label="User name"
              value={input.username ?? ""}
              onChange={(event) => set({ username: event.target.value })}
            />
            <Field
              label="Password or access token"
              type="password"
              autoComplete="new-password"
              value={input.password ?? ""}
              onChange={(event) => set({ password: event.target.value })}
              help="Kept encrypted, never shown again"
            />
          </div>
        </details>
      </form>
      {plan.error && <ProblemView error={plan.error} className="mt-4" />}
    </Dialog>
  );
}

/** Which of the questions was answered wrongly, as far as the server says. */
function wrongIn(error: unknown): "repository" | "config" | "password" | null {
  if (!error) return null;
  const { type } = problemOf(error);
  if (type === "urn:hermez:problem:repository-authentication") return "password";
  if (type.startsWith("urn:hermez:problem:repository-")) return "repository";
  return type.startsWith("urn:hermez:problem:config-") ? "config" : null;
}

/** Without the blanks. */
function asked(input: CreateWorkload): CreateWorkload {
  return {
    repository: input.repository.trim(),
    config: input.config.trim(),
    username: input.username || undefined,
    password: input.password || undefined,
  };
}
