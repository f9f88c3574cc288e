import { useInfiniteQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { deploysQuery } from "@/api/queries";
import type { DeploySummary } from "@/api/types";
import { Command } from "@/components/copy";
import { deployColumns } from "@/components/deploy-columns";
import { Empty } from "@/components/empty";
import { More } from "@/components/more";
import { ProblemView } from "@/components/problem";
import { DataTable, TableSkeleton } from "@/components/table";
import { Tabs } from "@/components/tabs";
import { usePage } from "@/frame/page";
import { Record } from "./record";

const columns = deployColumns(true);

/** What was done: the deploys of all workloads, and the record of every change. */
export function ActivityPage() {
  usePage([{ label: "Activity" }]);
  const { show } = useSearch({ from: "/app/activity" });
  return (
    <>
      <h1 className="sr-only">Activity</h1>
      <div className="pt-1">
        <Tabs
          label="Activity"
          tabs={[
            { label: "Deploys", to: "/activity", search: { show: undefined }, exact: true },
            { label: "Record of changes", to: "/activity", search: { show: "record" } },
          ]}
        />
      </div>
      {show === "record" ? <Record /> : <Deploys />}
    </>
  );
}

function Deploys() {
  const query = useInfiniteQuery(deploysQuery(null));
  const deploys = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  return (
    <>
      {query.error && (
        <ProblemView error={query.error} onRetry={() => query.refetch()} className="page-x py-4" />
      )}
      {query.isPending && <TableSkeleton columns={columns} what="deploys" />}
      {deploys && deploys.length > 0 && (
        <DataTable label="Deploys" columns={columns} rows={deploys} rowId={deployId} />
      )}
      {deploys?.length === 0 && (
        <Empty title="No deploys yet">
          <p className="text-muted">Every deploy of every workload will be listed here.</p>
          <Command text="hermez deploy COMMIT --workload NAME --watch" />
        </Empty>
      )}
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
