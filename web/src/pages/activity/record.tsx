import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { auditQuery } from "@/api/queries";
import type { AuditEntry } from "@/api/types";
import { Empty } from "@/components/empty";
import { More } from "@/components/more";
import { ProblemView } from "@/components/problem";
import { Status } from "@/components/status";
import { type Column, DataTable, TableSkeleton } from "@/components/table";
import { Ago } from "@/components/time";
import type { Look } from "@/lib/status";

const OUTCOMES: { [outcome: string]: Look } = {
  allowed: { tone: "ok", word: "Done" },
  denied: { tone: "waiting", word: "Denied" },
  failed: { tone: "failed", word: "Failed" },
};

const columns: Column<AuditEntry>[] = [
  {
    id: "action",
    header: "What",
    className: "w-32 sm:w-44",
    cell: (it) => (
      <span className="block truncate font-mono text-xs" title={it.action}>
        {it.action}
      </span>
    ),
  },
  {
    id: "target",
    header: "To what",
    cell: (it) => <Target target={it.target} />,
  },
  {
    id: "outcome",
    header: "Outcome",
    className: "w-24 sm:w-28",
    cell: (it) => <Status look={OUTCOMES[it.outcome] ?? { tone: "unknown", word: it.outcome }} />,
  },
  {
    id: "by",
    header: "By",
    className: "w-36 max-md:hidden",
    cell: (it) => (
      <span className="block truncate text-muted" title={it.principal}>
        {it.principal}
      </span>
    ),
  },
  {
    id: "at",
    header: "When",
    right: true,
    className: "w-30 max-sm:hidden",
    cell: (it) => (
      <span className="text-muted">
        <Ago at={it.at} />
      </span>
    ),
  },
];

/** A phone has room for the whole of it on more than one line only. */
function Target({ target }: { target: string }) {
  const look = "block truncate max-sm:py-2 max-sm:wrap-anywhere max-sm:whitespace-normal";
  const [kind, name] = target.split("/", 2);
  if (kind !== "workload" || !name) {
    return (
      <span className={look} title={target}>
        {target}
      </span>
    );
  }
  return (
    <Link
      to="/workloads/$name"
      params={{ name }}
      data-row-link
      className={`link ${look}`}
      title={target}
    >
      {target}
    </Link>
  );
}

/** Who changed what, also when it was refused; nothing can be taken out of it. */
export function Record() {
  const query = useInfiniteQuery(auditQuery);
  const entries = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  return (
    <>
      {query.error && (
        <ProblemView error={query.error} onRetry={() => query.refetch()} className="page-x py-4" />
      )}
      {query.isPending && <TableSkeleton columns={columns} what="the record" />}
      {entries && entries.length > 0 && (
        <DataTable label="Record of changes" columns={columns} rows={entries} rowId={entryId} />
      )}
      {entries?.length === 0 && (
        <Empty title="Nothing was changed yet">
          <p className="text-muted">Each change will be listed here with who made it.</p>
        </Empty>
      )}
      <More
        what="changes"
        hasNextPage={query.hasNextPage}
        isFetchingNextPage={query.isFetchingNextPage}
        fetchNextPage={query.fetchNextPage}
      />
    </>
  );
}

const entryId = (it: AuditEntry) => String(it.id);
