import { Info, TriangleAlert } from "lucide-react";
import type { KubernetesEvent } from "@/api/types";
import { type Column, DataTable } from "@/components/table";
import { Ago } from "@/components/time";

const columns: Column<KubernetesEvent>[] = [
  {
    id: "reason",
    header: "Event",
    className: "w-40 sm:w-52",
    cell: (it) => {
      const warning = it.kind === "Warning";
      const Icon = warning ? TriangleAlert : Info;
      return (
        <span className="flex min-w-0 items-center gap-1.5">
          <Icon
            className={warning ? "size-4 shrink-0 text-waiting" : "size-4 shrink-0 text-faint"}
            aria-hidden
          />
          <span className={warning ? "truncate text-waiting" : "truncate"}>
            <span className="sr-only">{it.kind}: </span>
            {it.reason}
          </span>
        </span>
      );
    },
  },
  {
    id: "message",
    header: "Message",
    cell: (it) => (
      <span
        className="block truncate max-md:py-2 max-md:wrap-anywhere max-md:whitespace-normal"
        title={it.message}
      >
        {it.message}
      </span>
    ),
  },
  {
    id: "object",
    header: "Object",
    className: "w-72 max-lg:hidden",
    cell: (it) => (
      <span className="block truncate font-mono text-xs text-muted" title={it.object}>
        {it.object}
      </span>
    ),
  },
  {
    id: "count",
    header: "Times",
    right: true,
    className: "w-16 max-sm:hidden",
    cell: (it) => it.count,
  },
  {
    id: "at",
    header: "Last",
    right: true,
    className: "w-28 max-sm:hidden",
    cell: (it) => <Ago at={it.at} />,
  },
];

/** What Kubernetes says about the workload and all that belongs to it, newest first. */
export function Events({ events }: { events: KubernetesEvent[] }) {
  if (events.length === 0) return null;
  return (
    <section className="pt-6 pb-8">
      <h2 className="page-x pb-1 font-medium">Kubernetes events</h2>
      <DataTable
        label="Kubernetes events"
        columns={columns}
        rows={events}
        rowId={eventId}
        pageKeys={false}
      />
    </section>
  );
}

const eventId = (it: KubernetesEvent) => `${it.object} ${it.reason} ${it.at} ${it.message}`;
