import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "@/api/client";
import { branchesQuery, keys, workloadQuery } from "@/api/queries";
import type { Category, Workload } from "@/api/types";
import { Button } from "@/components/button";
import { Pick } from "@/components/field";
import { Status } from "@/components/status";
import { Ago } from "@/components/time";
import { toastProblem } from "@/components/toast";
import { Words } from "@/components/words";
import { DeleteDialog } from "./delete-dialog";
import { GatesSetting } from "./gates-setting";
import { PreviewsSetting } from "./previews-setting";
import { RulesSettings } from "./rules-settings";
import { Setting } from "./setting";
import { StrategySetting } from "./strategy-setting";

/** What is the workload's own to set, and how its repository is joined. */
export function SettingsTab() {
  const { name } = useParams({ from: "/app/workloads/$name" });
  const { data: workload } = useQuery(workloadQuery(name));
  const [deleting, setDeleting] = useState(false);
  if (!workload) return null;
  const { mirror } = workload;
  return (
    <div className="page-x flex max-w-3xl flex-col gap-5 py-5">
      <Setting name="Category" help="Whether production traffic depends on it">
        <CategoryPick workload={workload} />
      </Setting>
      <Setting name="Automatic deploys" help="Whether each push to a branch is deployed by itself">
        <AutoDeployPick workload={workload} />
        {workload.pin && workload.auto_deploy && (
          <p className="mt-1 text-muted">The workload is pinned: pushes wait until it is not.</p>
        )}
      </Setting>
      <PreviewsSetting workload={workload} />
      <RulesSettings workload={workload} />
      <StrategySetting workload={workload} />
      <GatesSetting workload={workload} />
      <Setting name="Repository" help="Where its commits come from">
        <p className="wrap-anywhere">{workload.repository}</p>
        <p className="text-muted">
          <code className="font-mono text-xs wrap-anywhere">{workload.config}</code> on{" "}
          {workload.default_branch}
        </p>
        {mirror.error ? (
          <p className="mt-1 break-words text-failed">
            <Words text={mirror.error} />
          </p>
        ) : (
          <p className="mt-1 text-muted">
            Fetched <Ago at={mirror.fetched_at} />
          </p>
        )}
      </Setting>
      <Setting name="Pushes" help="How Hermez learns of new commits">
        <Status
          look={
            mirror.webhook === "installed"
              ? { tone: "ok", word: "The forge tells Hermez of each push" }
              : { tone: "waiting", word: "No webhook: new commits are found by fetching" }
          }
        />
        {mirror.webhook_reason && (
          <p className="mt-1 break-words text-muted">
            <Words text={mirror.webhook_reason} />
          </p>
        )}
      </Setting>
      <Setting name="Created" help="By whom, and when">
        <p>
          by {workload.created_by}, <Ago at={workload.created_at} />
        </p>
      </Setting>
      <Setting name="Delete" help="Takes it out of the cluster; its history is kept">
        <Button look="danger" onClick={() => setDeleting(true)}>
          Delete {name.length > 32 ? "this workload" : name}
        </Button>
      </Setting>
      {deleting && <DeleteDialog workload={workload} onClose={() => setDeleting(false)} />}
    </div>
  );
}

/** Changes at once, and back again if the server refuses. */
function CategoryPick({ workload }: { workload: Workload }) {
  const client = useQueryClient();
  const key = keys.workload(workload.name);
  const change = useMutation({
    mutationFn: (category: Category) => api.setCategory(workload.name, category, workload.version),
    onMutate: (category) => {
      const before = client.getQueryData<Workload>(key);
      client.setQueryData<Workload>(key, (it) => it && { ...it, category });
      return before;
    },
    onError: (error, _, before) => {
      client.setQueryData(key, before);
      toastProblem("The category is as it was", error);
    },
    onSuccess: (saved) => client.setQueryData(key, saved),
    onSettled: () => client.invalidateQueries({ queryKey: keys.workloads }),
  });
  return (
    <Pick
      label="Category"
      value={workload.category}
      options={[
        { value: "Production", label: "Production" },
        { value: "Non-Production", label: "Non-Production" },
      ]}
      onChange={(value) => change.mutate(value as Category)}
      className="w-44"
    />
  );
}

/** Off, or a branch of the repository. */
function AutoDeployPick({ workload }: { workload: Workload }) {
  const client = useQueryClient();
  const key = keys.workload(workload.name);
  const { data: branches } = useQuery(branchesQuery(workload.name));
  const change = useMutation({
    mutationFn: (branch: string) => api.setAutoDeploy(workload.name, branch, workload.version),
    onError: (error) => toastProblem("Automatic deploys are as they were", error),
    onSuccess: (saved) => client.setQueryData(key, saved),
  });
  const chosen = workload.auto_deploy ?? "";
  const names = new Set([...(branches ?? []).map((branch) => branch.name), chosen]);
  names.delete("");
  return (
    <Pick
      label="Branch to deploy by itself"
      value={chosen}
      options={[
        { value: "", label: "Off" },
        ...[...names].map((name) => ({ value: name, label: `Each push to ${name}` })),
      ]}
      onChange={(branch) => change.mutate(branch)}
      className="w-64"
    />
  );
}
