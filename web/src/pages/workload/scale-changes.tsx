import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { scaleChangesQuery } from "@/api/queries";
import type { ScaleChange } from "@/api/types";
import { Command } from "@/components/copy";
import { Empty } from "@/components/empty";
import { More } from "@/components/more";
import { ProblemView } from "@/components/problem";
import { Status } from "@/components/status";
import { type Column, DataTable, TableSkeleton } from "@/components/table";
import { timeColumn } from "@/components/time-column";
import { Words } from "@/components/words";
import { CHANGE, changeWords } from "@/lib/scale";

const columns: Column<ScaleChange>[] = [
  {
    id: "change",
    header: "Change",
    cell: (it) => (
      <div className="max-md:py-1.5">
        <span className="block truncate max-md:whitespace-normal" title={changeWords(it)}>
          {changeWords(it)}
        </span>
        <span className="block text-xs break-words text-muted md:hidden">{it.reason}</span>
      </div>
    ),
  },
  {
    id: "state",
    header: "State",
    className: "w-28",
    cell: (it) => <Status look={CHANGE[it.state]} />,
  },
  {
    id: "reason",
    header: "Reason",
    className: "w-[26%] max-md:hidden",
    cell: (it) => (
      <span className="block truncate text-muted" title={it.reason}>
        {it.reason}
      </span>
    ),
  },
  {
    id: "by",
    header: "By",
    className: "w-24 sm:w-32",
    cell: (it) => (
      <span className="block truncate text-muted" title={it.by}>
        {it.by}
      </span>
    ),
  },
  timeColumn({
    id: "until",
    header: "Until",
    className: "w-30 max-lg:hidden",
    at: (it) => (isOn(it) ? it.until : null),
  }),
  timeColumn({ id: "when", header: "When", className: "w-30 max-sm:hidden", at: (it) => it.at }),
];

/** The ledger: every change that was asked for, newest first. */
export function ScaleChanges({ name }: { name: string }) {
  const query = useInfiniteQuery(scaleChangesQuery(name));
  const changes = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  return (
    <section aria-label="Ledger" className="border-t pt-2">
      <h2 className="page-x py-2 font-medium">Ledger</h2>
      {query.error && (
        <ProblemView error={query.error} onRetry={() => query.refetch()} className="page-x pb-4" />
      )}
      {query.isPending && <TableSkeleton columns={columns} what="the ledger" rows={3} />}
      {changes && changes.length > 0 && (
        <DataTable
          label="Changes of the number of pods"
          columns={columns}
          rows={changes}
          rowId={changeId}
          detail={changeDetail}
        />
      )}
      {changes?.length === 0 && (
        <Empty title="Nobody changed the number of pods yet">
          <p className="text-muted">Each change will be listed here, with who and why.</p>
          <Command text={`hermez scale ${name} 3 --reason "the launch"`} />
        </Empty>
      )}
      <More
        what="changes"
        hasNextPage={query.hasNextPage}
        isFetchingNextPage={query.isFetchingNextPage}
        fetchNextPage={query.fetchNextPage}
      />
    </section>
  );
}

const changeId = (it: ScaleChange) => String(it.id);

/** What has ended has its end behind it. */
const isOn = (it: ScaleChange) => it.state === "active" || it.state === "pending";

/** What it waits for, or why it was refused or has ended; that a later one came is seen above it. */
const changeDetail = (it: ScaleChange) =>
  it.message && it.state !== "replaced" && !(it.kind === "file" && it.state === "ended") ? (
    <p className="page-x py-1.5 break-words text-muted">
      <Words text={it.message} />
    </p>
  ) : null;
