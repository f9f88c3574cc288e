import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, idempotencyKey } from "@/api/client";
import { keys } from "@/api/queries";
import type { Commit, CreateHotfix, HotfixPlan, Workload } from "@/api/types";
import { Button } from "@/components/button";
import { CommitLine, Sha } from "@/components/commit";
import { Check, Field, SearchField } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { ProblemView } from "@/components/problem";
import { ReasonField, SEEN_IN_HISTORY } from "@/components/reason-field";
import { plural } from "@/lib/format";
import { MOST_PICKED, pickOrder } from "@/lib/hotfix";
import { findCommits } from "./commit-picker";
import { useBegin } from "./use-begin";

interface Props {
  workload: Workload;
  /** Of the branch that is shown, newest first. */
  commits: Commit[];
  onClose: () => void;
}

/** Which commits, whether they fit on what runs, and one button. */
export function HotfixDialog({ workload, commits, onClose }: Props) {
  const { name } = workload;
  const client = useQueryClient();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [search, setSearch] = useState("");
  const [branch, setBranch] = useState("");
  const [reason, setReason] = useState("");
  const [key, setKey] = useState(idempotencyKey);
  const picked = pickOrder(commits, chosen);
  const body: CreateHotfix = {
    commits: picked,
    branch: branch.trim() || null,
    reason: reason.trim() || null,
  };
  const plan = useMutation({ mutationFn: () => api.hotfixPlan(name, body) });
  const start = useBegin(
    name,
    () => api.createHotfix(name, body, key),
    () => void client.invalidateQueries({ queryKey: keys.branches(name) }),
  );
  // What was found, or refused, was of other commits.
  const forget = () => {
    plan.reset();
    start.reset();
    setKey(idempotencyKey());
  };
  const toggle = (commit: string) => {
    const next = new Set(chosen);
    if (!next.delete(commit)) next.add(commit);
    setChosen(next);
    forget();
  };
  const enough = picked.length > 0 && picked.length <= MOST_PICKED;
  const shown = findCommits(commits, search);
  return (
    <FormDialog
      wide
      title={`Hotfix of ${name}`}
      description="Picks commits onto exactly what runs, and deploys that"
      action={
        picked.length === 0
          ? "Deploy the hotfix"
          : `Deploy ${plural(picked.length, "commit")} as a hotfix`
      }
      ready={enough && plan.data !== undefined}
      ask={start}
      onClose={onClose}
      beside={
        <Button disabled={!enough} busy={plan.isPending} onClick={() => plan.mutate()}>
          See whether it fits
        </Button>
      }
    >
      <fieldset className="min-w-0">
        <legend className="sr-only">Commits</legend>
        <SearchField
          first
          label="Search commits"
          placeholder="Message, author or id"
          value={search}
          onChange={setSearch}
        />
        <div className="mt-2 flex max-h-56 flex-col gap-2 overflow-y-auto rounded-md border px-3 py-2">
          {shown.length === 0 && <p className="text-muted">No commit is listed.</p>}
          {shown.map((commit) => (
            <Check
              key={commit.id}
              label={<CommitLine commit={commit.id} title={commit.title} />}
              checked={chosen.has(commit.id)}
              onChange={() => toggle(commit.id)}
            />
          ))}
        </div>
        {picked.length > MOST_PICKED && (
          <p className="mt-1 text-failed">At most {MOST_PICKED} commits make a hotfix.</p>
        )}
      </fieldset>
      <Field
        label="Branch"
        mono
        placeholder="Optional; hotfix/… when empty"
        maxLength={200}
        value={branch}
        onChange={(event) => {
          setBranch(event.target.value);
          forget();
        }}
      />
      <ReasonField optional={SEEN_IN_HISTORY} value={reason} onChange={setReason} />
      {plan.error && <ProblemView error={plan.error} />}
      {plan.data && <Plan plan={plan.data} />}
    </FormDialog>
  );
}

/** What would be deployed, and what it stands on. */
function Plan({ plan }: { plan: HotfixPlan }) {
  return (
    <section aria-label="What would be deployed" className="rounded-md bg-rail px-3 py-2.5">
      <p className="font-medium">
        It fits on <Sha commit={plan.base.commit} className="text-text!" /> of deploy {plan.base.id}
      </p>
      <ul className="mt-1.5 flex flex-col gap-0.5">
        {plan.commits.map((commit) => (
          <li key={commit.id}>
            <CommitLine commit={commit.id} title={commit.title} />
          </li>
        ))}
      </ul>
      <p className="mt-1.5 break-words text-muted">
        Pushed as <code className="font-mono text-xs wrap-anywhere">{plan.branch}</code> and built
        as <Sha commit={plan.commit} />. Merge that branch afterwards, or the next deploy of the
        main branch leaves it out.
      </p>
    </section>
  );
}
