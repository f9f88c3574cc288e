import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Pause, Play, RotateCw } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import { api } from "@/api/client";
import { keys, runsQuery } from "@/api/queries";
import type { Run, ScheduleStatus, WorkloadStatus } from "@/api/types";
import { Button } from "@/components/button";
import { Command } from "@/components/copy";
import { Empty } from "@/components/empty";
import { Facts } from "@/components/facts";
import { ProblemView } from "@/components/problem";
import { DataTable, TableSkeleton } from "@/components/table";
import { toastProblem } from "@/components/toast";
import { type Action, useActions } from "@/frame/actions";
import { exact } from "@/lib/time";
import { runColumns } from "./run-columns";
import { RunDialog } from "./run-dialog";

interface Props {
  name: string;
  schedule: ScheduleStatus;
}

/** When a cron job runs, what became of its runs, and the buttons that run and stop it. */
export function Runs({ name, schedule }: Props) {
  const { data: runs, error, refetch } = useQuery(runsQuery(name));
  const [asking, setAsking] = useState(false);
  const suspend = useSuspend(name);
  const open = useCallback(() => setAsking(true), []);
  useRunActions(name, schedule.suspended, open, suspend.mutate);
  return (
    <section aria-label="Schedule and runs" className="border-b pb-2">
      <div className="page-x flex flex-wrap items-start gap-x-6 gap-y-3 py-4">
        <div className="min-w-0 flex-1 basis-80">
          <p className="font-medium">
            {schedule.suspended ? "Suspended: it runs by hand only" : nextRun(schedule)}
          </p>
          <Facts className="mt-0.5">
            <span className="font-mono text-xs">{schedule.schedule}</span>
            {schedule.timezone}
            {schedule.active_runs > 0 && `${schedule.active_runs} running`}
          </Facts>
        </div>
        <div className="flex gap-2 max-sm:w-full">
          <Button
            busy={suspend.isPending}
            icon={
              schedule.suspended ? (
                <RotateCw className="size-3.5" aria-hidden />
              ) : (
                <Pause className="size-3.5" aria-hidden />
              )
            }
            onClick={() => suspend.mutate(!schedule.suspended)}
            className="max-sm:flex-1"
          >
            {schedule.suspended ? "Resume" : "Suspend"}
          </Button>
          <Button
            icon={<Play className="size-3.5" aria-hidden />}
            shortcut="r"
            onClick={open}
            className="max-sm:flex-1"
          >
            Run now
          </Button>
        </div>
      </div>
      <h2 className="sr-only">Runs</h2>
      {error && !runs && <ProblemView error={error} onRetry={() => refetch()} className="page-x" />}
      {!error && !runs && <TableSkeleton columns={runColumns} what="runs" rows={3} />}
      {runs && runs.length > 0 && (
        <DataTable label="Runs" columns={runColumns} rows={runs} rowId={runId} />
      )}
      {runs?.length === 0 && (
        <Empty title="No runs yet">
          <p className="text-muted">Each run will be listed here, with its outcome.</p>
          <Command text={`hermez run ${name} --wait`} />
        </Empty>
      )}
      {asking && <RunDialog name={name} onClose={() => setAsking(false)} />}
    </section>
  );
}

const runId = (run: Run) => run.name;

const nextRun = (schedule: ScheduleStatus): string => {
  const [next] = schedule.next;
  return next === undefined ? "The next run is not known yet" : `Next run ${exact(next)}`;
};

/** Suspends at once on the page, and takes it back when the server refuses. */
function useSuspend(name: string) {
  const client = useQueryClient();
  const show = (suspended: boolean) =>
    client.setQueryData<WorkloadStatus>(keys.status(name), (status) =>
      status?.schedule ? { ...status, schedule: { ...status.schedule, suspended } } : status,
    );
  return useMutation({
    mutationFn: (suspended: boolean) => (suspended ? api.suspend(name) : api.resume(name)),
    onMutate: (suspended) => void show(suspended),
    onError: (error, suspended) => {
      show(!suspended);
      toastProblem(suspended ? `${name} was not suspended` : `${name} was not resumed`, error);
    },
  });
}

function useRunActions(
  name: string,
  suspended: boolean,
  open: () => void,
  suspend: (suspended: boolean) => void,
) {
  const actions = useMemo<Action[]>(
    () => [
      {
        id: "run",
        label: `Run ${name} now`,
        group: "This page",
        shortcut: "r",
        keywords: "start execute job",
        run: open,
      },
      {
        id: "suspend",
        label: suspended ? `Resume ${name}` : `Suspend ${name}`,
        group: "This page",
        keywords: "pause schedule cron",
        run: () => suspend(!suspended),
      },
    ],
    [name, suspended, open, suspend],
  );
  useActions(actions);
}
