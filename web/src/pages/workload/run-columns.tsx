import { Link } from "@tanstack/react-router";
import type { Run } from "@/api/types";
import { Status } from "@/components/status";
import type { Column } from "@/components/table";
import { Ago, Took } from "@/components/time";
import { RUN } from "@/lib/status";

/** A run: what became of it, who started it, when, how long, and why it failed. */
export const runColumns: Column<Run>[] = [
  {
    id: "run",
    header: "Run",
    className: "w-[28%] max-sm:w-auto",
    cell: (run) => (
      <span className="block truncate font-mono text-xs" title={run.name}>
        <RunName run={run} />
      </span>
    ),
  },
  {
    id: "outcome",
    header: "Outcome",
    className: "w-31",
    cell: (run) => <Status look={RUN[run.outcome]} />,
  },
  {
    id: "by",
    header: "Started by",
    className: "w-32 max-md:hidden",
    cell: (run) => (
      <span className="block truncate text-muted" title={run.by ?? undefined}>
        {run.trigger === "schedule" ? "Schedule" : (run.by ?? "By hand")}
      </span>
    ),
  },
  {
    id: "message",
    header: "Message",
    className: "max-lg:hidden",
    cell: (run) => (
      <span className="block truncate text-muted" title={run.message ?? undefined}>
        {run.message}
      </span>
    ),
  },
  {
    id: "took",
    header: "Took",
    right: true,
    className: "w-28 max-lg:hidden",
    cell: (run) => (
      <span className="text-muted">
        <Took startedAt={run.started_at} finishedAt={run.ended_at} />
      </span>
    ),
  },
  {
    id: "when",
    header: "When",
    right: true,
    className: "w-30 max-sm:hidden",
    cell: (run) => (
      <span className="text-muted">
        <Ago at={run.started_at ?? run.created_at} />
      </span>
    ),
  },
];

/** Leads to the log of its newest pod, while Kubernetes has one. */
function RunName({ run }: { run: Run }) {
  const pod = run.pods.at(-1);
  if (pod === undefined) return run.name;
  return (
    <Link
      from="/workloads/$name"
      to="/workloads/$name/logs"
      search={{ pod }}
      data-row-link
      className="link"
    >
      {run.name}
    </Link>
  );
}
