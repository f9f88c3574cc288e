import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useMemo, useState } from "react";
import { freezesQuery } from "@/api/queries";
import type { Freeze } from "@/api/types";
import { Button } from "@/components/button";
import { Command } from "@/components/copy";
import { Empty } from "@/components/empty";
import { Check } from "@/components/field";
import { More } from "@/components/more";
import { ProblemView } from "@/components/problem";
import { Status } from "@/components/status";
import { type Column, DataTable, TableSkeleton } from "@/components/table";
import { Ago } from "@/components/time";
import { usePage } from "@/frame/page";
import { useNow } from "@/lib/clock";
import { freezeLook, isOver } from "@/lib/freezes";
import { CreateFreezeDialog, EndFreezeDialog } from "./dialogs";

/** When nothing is deployed, who said so, and why. */
export function FreezesPage() {
  usePage([{ label: "Freezes" }]);
  const { all = false } = useSearch({ from: "/app/freezes" });
  const navigate = useNavigate();
  const now = useNow();
  const query = useInfiniteQuery(freezesQuery(all));
  const freezes = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  const [creating, setCreating] = useState(false);
  const [ending, setEnding] = useState<Freeze | null>(null);
  const columns = useMemo(() => freezeColumns(now, setEnding), [now]);
  return (
    <>
      <div className="page-x flex flex-wrap items-center gap-3 py-3">
        <h1 className="sr-only">Freezes</h1>
        <p className="min-w-0 flex-1 basis-72 text-muted">
          While a freeze holds, deploys wait. Rollbacks and restarts pass.
        </p>
        <Check
          label="Those that are over, too"
          checked={all}
          onChange={(next) =>
            navigate({ to: "/freezes", search: { all: next || undefined }, replace: true })
          }
        />
        <Button
          look="primary"
          icon={<Plus className="size-4" aria-hidden />}
          onClick={() => setCreating(true)}
          className="max-sm:w-full"
        >
          Create a freeze
        </Button>
      </div>
      {query.error && (
        <ProblemView error={query.error} onRetry={() => query.refetch()} className="page-x pb-4" />
      )}
      {query.isPending && <TableSkeleton columns={columns} what="freezes" rows={3} />}
      {freezes && freezes.length > 0 && (
        <DataTable label="Freezes" columns={columns} rows={freezes} rowId={freezeId} />
      )}
      {freezes?.length === 0 && (
        <Empty title="No freezes">
          <p className="text-muted">Deploys go out. Create one here, or from the command line:</p>
          <Command text={'hermez freeze create --reason "the holidays"'} />
        </Empty>
      )}
      <More
        what="freezes"
        hasNextPage={query.hasNextPage}
        isFetchingNextPage={query.isFetchingNextPage}
        fetchNextPage={query.fetchNextPage}
      />
      {creating && <CreateFreezeDialog onClose={() => setCreating(false)} />}
      {ending && <EndFreezeDialog freeze={ending} onClose={() => setEnding(null)} />}
    </>
  );
}

const freezeId = (it: Freeze) => String(it.id);

function freezeColumns(now: number, onEnd: (freeze: Freeze) => void): Column<Freeze>[] {
  return [
    {
      id: "reason",
      header: "Freeze",
      cell: (it) => (
        <span className="block truncate" title={it.reason}>
          <span className="nums text-faint">#{it.id}</span> {it.reason}
        </span>
      ),
    },
    {
      id: "state",
      header: "State",
      className: "w-24 sm:w-28",
      cell: (it) => <Status look={freezeLook(it, now)} />,
    },
    {
      id: "of",
      header: "Holds",
      className: "w-40 max-md:hidden",
      cell: (it) => (
        <span className="block truncate text-muted" title={it.project ?? undefined}>
          {it.project ? `project ${it.project}` : "Everything"}
        </span>
      ),
    },
    {
      id: "by",
      header: "By",
      className: "w-32 max-lg:hidden",
      cell: (it) => <span className="block truncate text-muted">{it.by}</span>,
    },
    {
      id: "from",
      header: "From",
      right: true,
      className: "w-30 max-md:hidden",
      cell: (it) => (
        <span className="text-muted">
          <Ago at={it.from} />
        </span>
      ),
    },
    {
      id: "until",
      header: "Until",
      right: true,
      className: "w-30 max-sm:hidden",
      cell: (it) => (
        <span className="text-muted">
          <Ago at={it.ended_at ?? it.until} />
        </span>
      ),
    },
    {
      id: "end",
      header: "End",
      right: true,
      quiet: true,
      className: "w-20",
      cell: (it) =>
        !isOver(it, now) && (
          <Button
            look="quiet"
            data-row-link
            className="-my-1 -mr-2 h-7! px-2! text-failed!"
            onClick={() => onEnd(it)}
          >
            End<span className="sr-only"> freeze {it.id}</span>
          </Button>
        ),
    },
  ];
}
