import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useDeferredValue, useMemo } from "react";
import type { DeployFilter } from "@/api/client";
import { deploysQuery } from "@/api/queries";
import type { DeploySummary } from "@/api/types";
import { Button } from "@/components/button";
import { Command } from "@/components/copy";
import { deployColumns } from "@/components/deploy-columns";
import { Empty } from "@/components/empty";
import { Pick, SearchField } from "@/components/field";
import { More } from "@/components/more";
import { ProblemView } from "@/components/problem";
import { DataTable, TableSkeleton } from "@/components/table";
import { DEPLOY_KINDS, DEPLOY_STATES, type HistorySearch, oneOf } from "@/lib/search";
import { DEPLOY, KIND } from "@/lib/status";

const columns = deployColumns(false);

/** Every deploy of the workload, newest first. */
export function HistoryTab() {
  const { name } = useParams({ from: "/app/workloads/$name" });
  const search = useSearch({ from: "/app/workloads/$name/history" });
  const filter = useMemo(() => filterOf(search), [search]);
  const wanted = useDeferredValue(filter);
  const query = useInfiniteQuery({
    ...deploysQuery(name, wanted),
    // Other deploys of the same workload stay until those of the new filter are there.
    placeholderData: (before, query) => (query?.queryKey[1] === name ? before : undefined),
  });
  const deploys = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  const filtered = Object.keys(filter).length > 0;
  if (deploys?.length === 0 && !filtered) {
    return (
      <Empty title="No deploys yet">
        <p className="text-muted">Each deploy of {name} will be listed here, with who and why.</p>
        <Command text={`hermez deploy COMMIT --workload ${name} --watch`} />
      </Empty>
    );
  }
  return (
    <>
      <HistoryFilter />
      {query.error && (
        <ProblemView error={query.error} onRetry={() => query.refetch()} className="page-x pb-4" />
      )}
      {query.isPending && <TableSkeleton columns={columns} what="deploys" rows={5} />}
      {deploys && deploys.length > 0 && (
        <DataTable label="Deploys" columns={columns} rows={deploys} rowId={deployId} />
      )}
      {deploys?.length === 0 && <NoHit />}
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

/** Only what is asked for, so that no filter is the plain list. */
const filterOf = (search: HistorySearch): DeployFilter =>
  Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined));

function useSetFilter() {
  const navigate = useNavigate();
  return (change: HistorySearch) =>
    navigate({ to: ".", search: (before) => ({ ...before, ...change }) as never, replace: true });
}

function NoHit() {
  const set = useSetFilter();
  const none = { state: undefined, kind: undefined, by: undefined, commit: undefined };
  return (
    <Empty title="No deploy passes these filters">
      <Button onClick={() => set(none)}>Clear the filters</Button>
    </Empty>
  );
}

function HistoryFilter() {
  const search = useSearch({ from: "/app/workloads/$name/history" });
  const set = useSetFilter();
  return (
    <div className="page-x flex flex-wrap gap-2 py-3">
      <Pick
        label="State"
        value={search.state ?? ""}
        options={[
          { value: "", label: "Any state" },
          ...DEPLOY_STATES.map((value) => ({ value, label: DEPLOY[value].word })),
        ]}
        onChange={(value) => set({ state: oneOf(value, DEPLOY_STATES) })}
        className="w-36 max-sm:w-[calc(50%-4px)]"
      />
      <Pick
        label="Kind"
        value={search.kind ?? ""}
        options={[
          { value: "", label: "Any kind" },
          ...DEPLOY_KINDS.map((value) => ({ value, label: KIND[value] })),
        ]}
        onChange={(value) => set({ kind: oneOf(value, DEPLOY_KINDS) })}
        className="w-32 max-sm:w-[calc(50%-4px)]"
      />
      <SearchField
        label="Asked for by"
        value={search.by ?? ""}
        onChange={(value) => set({ by: value || undefined })}
        className="w-40 max-sm:w-[calc(50%-4px)]"
      />
      <SearchField
        label="Commit"
        value={search.commit ?? ""}
        onChange={(value) => set({ commit: value || undefined })}
        className="w-40 max-sm:w-[calc(50%-4px)]"
      />
    </div>
  );
}
