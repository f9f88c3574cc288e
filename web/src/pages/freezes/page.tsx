import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { freezesQuery } from "@/api/queries";
import type { Freeze } from "@/api/types";
import { Command } from "@/components/copy";
import { Empty } from "@/components/empty";
import { Check } from "@/components/field";
import { More } from "@/components/more";
import { PageHead } from "@/components/page-head";
import { ProblemView } from "@/components/problem";
import { DataTable, TableSkeleton } from "@/components/table";
import { usePage } from "@/frame/page";
import { useNow } from "@/lib/clock";
import { ExceptDialog } from "@/pages/rules/except";
import { freezeColumns, freezeDetail } from "./columns";
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
  const [excepting, setExcepting] = useState<Freeze | null>(null);
  const columns = useMemo(
    () => freezeColumns(now, { onEnd: setEnding, onExcept: setExcepting }),
    [now],
  );
  return (
    <>
      <PageHead
        title="Freezes"
        beside={
          <Check
            label="Those that are over, too"
            checked={all}
            onChange={(next) =>
              navigate({ to: "/freezes", search: { all: next || undefined }, replace: true })
            }
          />
        }
        create={{ label: "Create a freeze", onClick: () => setCreating(true) }}
      >
        While a freeze holds, deploys wait. Rollbacks and restarts pass.
      </PageHead>
      {query.error && (
        <ProblemView error={query.error} onRetry={() => query.refetch()} className="page-x pb-4" />
      )}
      {query.isPending && <TableSkeleton columns={columns} what="freezes" rows={3} />}
      {freezes && freezes.length > 0 && (
        <DataTable
          label="Freezes"
          columns={columns}
          rows={freezes}
          rowId={freezeId}
          detail={freezeDetail}
        />
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
      {excepting && <ExceptDialog freeze={excepting} onClose={() => setExcepting(null)} />}
      {ending && <EndFreezeDialog freeze={ending} onClose={() => setEnding(null)} />}
    </>
  );
}

const freezeId = (it: Freeze) => String(it.id);
