import { useInfiniteQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { deploysQuery } from "@/api/queries";
import type { DeploySummary } from "@/api/types";
import { Command } from "@/components/copy";
import { deployColumns } from "@/components/deploy-columns";
import { Empty } from "@/components/empty";
import { More } from "@/components/more";
import { ProblemView } from "@/components/problem";
import { DataTable, TableSkeleton } from "@/components/table";

const columns = deployColumns(false);

/** Every deploy of the workload, newest first. */
export function HistoryTab() {
  const { name } = useParams({ from: "/app/workloads/$name" });
  const query = useInfiniteQuery(deploysQuery(name));
  const deploys = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  if (query.error && !deploys) {
    return (
      <ProblemView error={query.error} onRetry={() => query.refetch()} className="page-x py-4" />
    );
  }
  if (!deploys) return <TableSkeleton columns={columns} what="deploys" rows={5} />;
  if (deploys.length === 0) {
    return (
      <Empty title="No deploys yet">
        <p className="text-muted">Each deploy of {name} will be listed here, with who and why.</p>
        <Command text={`hermez deploy COMMIT --workload ${name} --watch`} />
      </Empty>
    );
  }
  return (
    <>
      <DataTable label="Deploys" columns={columns} rows={deploys} rowId={deployId} />
      <More
        what="deploys"
        hasNextPage={query.hasNextPage}
        isFetchingNextPage={query.isFetchingNextPage}
        fetchNextPage={query.fetchNextPage}
      />
    </>
  );
}

const deployId = (it: DeploySummary) => String(it.id);
