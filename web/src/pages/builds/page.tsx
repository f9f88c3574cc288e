import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { buildsQuery } from "@/api/queries";
import type { BuildSummary } from "@/api/types";
import { CommitLine } from "@/components/commit";
import { Command } from "@/components/copy";
import { Empty } from "@/components/empty";
import { Pick } from "@/components/field";
import { More } from "@/components/more";
import { ProblemView } from "@/components/problem";
import { Status } from "@/components/status";
import { type Column, DataTable, TableSkeleton } from "@/components/table";
import { Took } from "@/components/time";
import { timeColumn } from "@/components/time-column";
import { usePage } from "@/frame/page";
import { BUILD_STATES, oneOf } from "@/lib/search";
import { BUILD } from "@/lib/status";

const columns: Column<BuildSummary>[] = [
  {
    id: "build",
    header: "Build",
    className: "w-[28%] max-sm:w-auto",
    cell: (it) => (
      <Link
        to="/builds/$id"
        params={{ id: String(it.id) }}
        data-row-link
        className="link flex min-w-0 gap-1.5"
      >
        <span className="truncate font-medium" title={it.workload}>
          {it.workload}
        </span>
        <span className="nums text-faint">#{it.id}</span>
      </Link>
    ),
  },
  {
    id: "state",
    header: "State",
    className: "w-31",
    cell: (it) => (
      <span title={it.error ?? undefined}>
        <Status look={BUILD[it.state]} />
      </span>
    ),
  },
  {
    id: "commit",
    header: "Commit",
    className: "max-sm:hidden",
    cell: (it) => <CommitLine commit={it.commit} title={it.title} />,
  },
  {
    id: "by",
    header: "Asked by",
    className: "w-32 max-md:hidden",
    cell: (it) => (
      <span className="block truncate text-muted" title={it.requested_by}>
        {it.requested_by}
      </span>
    ),
  },
  {
    id: "took",
    header: "Took",
    right: true,
    className: "w-28 max-lg:hidden",
    cell: (it) => (
      <span className="text-muted">
        <Took startedAt={it.started_at} finishedAt={it.finished_at} />
      </span>
    ),
  },
  timeColumn({ id: "when", header: "When", at: (it) => it.created_at }),
];

/** Every build, newest first. */
export function BuildsPage() {
  usePage([{ label: "Builds" }]);
  const { state } = useSearch({ from: "/app/builds" });
  const navigate = useNavigate();
  const query = useInfiniteQuery(buildsQuery(null, state));
  const builds = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  return (
    <>
      <div className="page-x flex items-center gap-2 py-3">
        <h1 className="sr-only">Builds</h1>
        <Pick
          label="State"
          value={state ?? ""}
          options={[
            { value: "", label: "Any state" },
            ...BUILD_STATES.map((it) => ({ value: it, label: BUILD[it].word })),
          ]}
          onChange={(next) =>
            navigate({ to: "/builds", search: { state: oneOf(next, BUILD_STATES) }, replace: true })
          }
          className="w-38"
        />
      </div>
      {query.error && (
        <ProblemView error={query.error} onRetry={() => query.refetch()} className="page-x pb-4" />
      )}
      {query.isPending && <TableSkeleton columns={columns} what="builds" />}
      {builds && builds.length > 0 && (
        <DataTable label="Builds" columns={columns} rows={builds} rowId={buildId} />
      )}
      {builds?.length === 0 && (
        <Empty title={state ? `No build is in the state “${BUILD[state].word}”` : "No builds yet"}>
          {!state && (
            <>
              <p className="text-muted">Each push to a workload's repository builds its commit.</p>
              <Command text="git push" />
            </>
          )}
        </Empty>
      )}
      <More
        what="builds"
        hasNextPage={query.hasNextPage}
        isFetchingNextPage={query.isFetchingNextPage}
        fetchNextPage={query.fetchNextPage}
      />
    </>
  );
}

const buildId = (it: BuildSummary) => String(it.id);
