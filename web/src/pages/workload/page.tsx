import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useMatch, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { useWatchWorkload } from "@/api/live";
import { isMissing } from "@/api/problem";
import { statusQuery, workloadQuery } from "@/api/queries";
import { Button } from "@/components/button";
import { Empty } from "@/components/empty";
import { ProblemView } from "@/components/problem";
import { type Tab, Tabs } from "@/components/tabs";
import { type Action, useActions } from "@/frame/actions";
import { usePage } from "@/frame/page";
import { HEALTH } from "@/lib/status";
import { CurrentDeploy, CurrentDeploySkeleton } from "./current-deploy";
import { DeployDialog } from "./deploy-dialog";
import { WorkloadHeader, WorkloadHeaderSkeleton } from "./header";
import { PinNote } from "./pin-note";
import { RestartDialog } from "./restart-dialog";
import { RollbackDialog } from "./rollback-dialog";

const TABS = [
  { label: "Current status", to: "/workloads/$name", exact: true, key: "1" },
  { label: "Commits", to: "/workloads/$name/commits", key: "2" },
  { label: "Pull requests", to: "/workloads/$name/pull-requests", key: "3" },
  { label: "History", to: "/workloads/$name/history", key: "4" },
  { label: "Logs", to: "/workloads/$name/logs", key: "5" },
  { label: "Scale", to: "/workloads/$name/scale", key: "6" },
  { label: "Settings", to: "/workloads/$name/settings", key: "7" },
] as const;

/** One workload: what runs, how it does, and what can be done about it. */
export function WorkloadPage() {
  const { name } = useParams({ from: "/app/workloads/$name" });
  const search = useSearch({ from: "/app/workloads/$name" });
  const navigate = useNavigate();
  const { data: workload, error, refetch } = useQuery(workloadQuery(name));
  const { data: status } = useQuery(statusQuery(name));
  useWatchWorkload(name);
  usePage(
    [{ label: "Workloads", to: "/workloads" }, { label: name }],
    workload ? `${name} · ${HEALTH[workload.health].word.toLowerCase()}` : name,
  );

  const openDeploy = useCallback(
    (commit: string) =>
      navigate({ to: ".", search: (before) => ({ ...before, deploy: commit }) as never }),
    [navigate],
  );
  const closeDeploy = useCallback(
    () => navigate({ to: ".", search: (before) => ({ ...before, deploy: undefined }) as never }),
    [navigate],
  );
  const openRollback = useCallback(
    () => navigate({ to: ".", search: (before) => ({ ...before, rollback: "previous" }) as never }),
    [navigate],
  );
  const openRestart = useCallback(
    () => navigate({ to: ".", search: (before) => ({ ...before, restart: true }) as never }),
    [navigate],
  );
  const closeDialogs = useCallback(
    () =>
      navigate({
        to: ".",
        search: (before) => ({ ...before, rollback: undefined, restart: undefined }) as never,
      }),
    [navigate],
  );
  useWorkloadActions(name, openDeploy, openRollback, openRestart);
  const aside = useMatch({ from: "/app/workloads/$name/", shouldThrow: false }) === undefined;

  if (isMissing(error)) {
    return (
      <Empty page title={`There is no workload called ${name}`}>
        <p className="text-muted">It may have been deleted, or the name is misspelt.</p>
        <Button asChild>
          <Link to="/workloads">See all workloads</Link>
        </Button>
      </Empty>
    );
  }
  if (error && !workload) {
    // Its tabs would only say the same once more.
    return (
      <>
        <h1 className="page-x pt-4 pb-3 text-xl font-semibold tracking-tight wrap-anywhere">
          {name}
        </h1>
        <ProblemView error={error} onRetry={() => refetch()} className="page-x" />
      </>
    );
  }
  const tabs: Tab[] = TABS.map((tab) => ({ ...tab, params: { name } }));
  return (
    <div className="flex min-h-full flex-col">
      {workload ? (
        <WorkloadHeader
          workload={workload}
          onDeploy={() => openDeploy("newest")}
          onRollback={openRollback}
          onRestart={openRestart}
        />
      ) : (
        <WorkloadHeaderSkeleton name={name} />
      )}
      {error && <ProblemView error={error} onRetry={() => refetch()} className="page-x pb-4" />}
      {workload && <PinNote workload={workload} />}
      {workload ? (
        <CurrentDeploy workload={workload} status={status} aside={aside} />
      ) : (
        <CurrentDeploySkeleton />
      )}
      <Tabs label={name} tabs={tabs} />
      <Outlet />
      {search.deploy && workload && (
        <DeployDialog workload={workload} commit={search.deploy} onClose={closeDeploy} />
      )}
      {search.rollback && workload && (
        <RollbackDialog
          workload={workload}
          to={Number(search.rollback) || undefined}
          onClose={closeDialogs}
        />
      )}
      {search.restart && workload && <RestartDialog workload={workload} onClose={closeDialogs} />}
    </div>
  );
}

function useWorkloadActions(
  name: string,
  openDeploy: (commit: string) => void,
  openRollback: () => void,
  openRestart: () => void,
) {
  const navigate = useNavigate();
  const actions = useMemo<Action[]>(
    () => [
      {
        id: "deploy",
        label: `Deploy a commit of ${name}`,
        group: "This page",
        shortcut: "d",
        keywords: "release rollout",
        run: () => openDeploy("newest"),
      },
      {
        id: "rollback",
        label: `Roll ${name} back`,
        group: "This page",
        keywords: "undo revert previous",
        run: openRollback,
      },
      {
        id: "restart",
        label: `Restart ${name}`,
        group: "This page",
        keywords: "replace pods",
        run: openRestart,
      },
      ...TABS.map((tab) => ({
        id: `tab-${tab.key}`,
        label: `${tab.label} of ${name}`,
        group: "This page" as const,
        shortcut: tab.key,
        run: () => navigate({ to: tab.to, params: { name } }),
      })),
    ],
    [name, openDeploy, openRollback, openRestart, navigate],
  );
  useActions(actions);
}
