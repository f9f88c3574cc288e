import { Link } from "@tanstack/react-router";
import type { WorkloadSummary } from "@/api/types";
import { BadMark } from "@/components/bad-mark";
import { CommitLine } from "@/components/commit";
import { DeployStatus, HealthMark } from "@/components/status";
import type { Column } from "@/components/table";
import { Ago } from "@/components/time";

/** Trouble first when sorted by health. */
const HEALTH_ORDER = ["degraded", "progressing", "unknown", "not_deployed", "healthy"];

export const columns: Column<WorkloadSummary>[] = [
  {
    id: "name",
    header: "Workload",
    className: "sm:w-[30%] xl:w-[23%]",
    sort: (it) => it.name,
    cell: (it) => (
      <span className="flex min-w-0 items-center gap-2">
        <Link
          to="/workloads/$name"
          params={{ name: it.name }}
          data-row-link
          title={it.name}
          className="link block truncate font-medium"
        >
          {it.name}
        </Link>
        {it.bad && <BadMark bad={it.bad} />}
      </span>
    ),
  },
  {
    id: "health",
    header: "Health",
    className: "w-29",
    sort: (it) => HEALTH_ORDER.indexOf(it.health),
    cell: (it) => <HealthMark health={it.health} title={it.health_reason} />,
  },
  {
    id: "pods",
    header: "Pods",
    right: true,
    className: "w-17",
    sort: (it) => it.pods_desired,
    cell: (it) =>
      it.pods_desired === 0 && it.pods_ready === 0 ? (
        <span className="text-faint">–</span>
      ) : (
        <span title="Ready of desired">
          {it.pods_ready}
          <span className="text-faint"> / {it.pods_desired}</span>
        </span>
      ),
  },
  {
    id: "category",
    header: "Category",
    className: "w-32 pl-3 max-md:hidden",
    sort: (it) => it.category,
    cell: (it) => <span className="text-muted">{it.category}</span>,
  },
  {
    id: "type",
    header: "Type",
    className: "w-39 max-xl:hidden",
    sort: (it) => it.workload_type,
    cell: (it) => <span className="block truncate text-muted">{it.workload_type}</span>,
  },
  {
    id: "project",
    header: "Project",
    className: "w-26 max-xl:hidden",
    sort: (it) => it.project,
    cell: (it) => (
      <Link
        to="/projects/$project"
        params={{ project: it.project }}
        className="link block truncate text-muted!"
        title={it.project}
      >
        {it.project}
      </Link>
    ),
  },
  {
    id: "current",
    header: "Runs now",
    className: "max-lg:hidden",
    cell: (it) =>
      it.current ? (
        <CommitLine commit={it.current.commit} title={it.current.title} />
      ) : (
        <span className="text-faint">Nothing yet</span>
      ),
  },
  {
    id: "deploy",
    header: "Latest deploy",
    className: "w-28 max-sm:hidden",
    sort: (it) => it.latest_deploy?.state,
    cell: (it) =>
      it.latest_deploy ? (
        <Link
          to="/deploys/$id"
          params={{ id: String(it.latest_deploy.id) }}
          className="block hover:underline"
        >
          <DeployStatus state={it.latest_deploy.state} />
        </Link>
      ) : (
        <span className="text-faint">–</span>
      ),
  },
  {
    id: "when",
    header: "When",
    right: true,
    className: "w-26 max-md:hidden",
    sort: (it) => (it.latest_deploy ? Date.parse(it.latest_deploy.created_at) : undefined),
    cell: (it) => <Ago at={it.latest_deploy?.created_at} />,
  },
];
