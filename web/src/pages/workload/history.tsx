import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import type { DeployFilter } from "@/api/client";
import { deploysQuery } from "@/api/queries";
import type { DeploySummary } from "@/api/types";
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
  const query = useInfiniteQuery(deploysQuery(name, filter));
  const deploys = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  if (query.error && !deploys) {
    return (
      <ProblemView error={query.error} onRetry={() => query.refetch()} className="page-x py-4" />
    );
  }
  const filtered = Object.keys(filter).length > 0;
  if (!deploys) return <TableSkeleton columns={columns} what="deploys" rows={5} />;
  if (deploys.length === 0 && !filtered) {
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
      {deploys.length === 0 && <p className="page-x py-4 text-muted">No deploy is like that.</p>}
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

/** Only what is asked for, so that no filter is the plain list. */
const filterOf = (search: HistorySearch): DeployFilter =>
  Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined));

function HistoryFilter() {
  const search = useSearch({ from: "/app/workloads/$name/history" });
  const navigate = useNavigate();
  const set = (change: HistorySearch) =>
    navigate({ to: ".", search: (before) => ({ ...before, ...change }) as never, replace: true });
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
        className="w-36"
      />
      <Pick
        label="Kind"
        value={search.kind ?? ""}
        options={[
          { value: "", label: "Any kind" },
          ...DEPLOY_KINDS.map((value) => ({ value, label: KIND[value] })),
        ]}
        onChange={(value) => set({ kind: oneOf(value, DEPLOY_KINDS) })}
        className="w-32"
      />
      <SearchField
        label="Asked for by"
        value={search.by ?? ""}
        onChange={(value) => set({ by: value || undefined })}
        className="w-40"
      />
      <SearchField
        label="Commit"
        value={search.commit ?? ""}
        onChange={(value) => set({ commit: value || undefined })}
        className="w-40"
      />
    </div>
  );
}
