import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useDeferredValue, useMemo, useState } from "react";
import { branchesQuery, commitsQuery, workloadQuery } from "@/api/queries";
import type { Commit } from "@/api/types";
import { Button } from "@/components/button";
import { Command } from "@/components/copy";
import { Empty } from "@/components/empty";
import { Pick, SearchField } from "@/components/field";
import { More } from "@/components/more";
import { ProblemView } from "@/components/problem";
import { DataTable, TableSkeleton } from "@/components/table";
import { commitColumns } from "./commit-columns";
import { HotfixDialog } from "./hotfix-dialog";
import { SyncNote } from "./sync-note";
import { useBuild } from "./use-build";

/** From code to deployment: each commit, its artifact, and the button that brings it out. */
export function CommitsTab() {
  const { name } = useParams({ from: "/app/workloads/$name" });
  const search = useSearch({ from: "/app/workloads/$name/commits" });
  const navigate = useNavigate();
  const { data: workload } = useQuery(workloadQuery(name));
  const { data: branches } = useQuery(branchesQuery(name));
  const branch = search.branch ?? workload?.default_branch ?? "";
  const wanted = useDeferredValue(search.q ?? "");
  const query = useInfiniteQuery({
    ...commitsQuery(name, branch, wanted),
    enabled: branch !== "",
    // Never those of another workload, which the palette may have led from.
    placeholderData: (before, query) => (query?.queryKey[1] === name ? before : undefined),
  });
  const commits = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  const build = useBuild(name);
  const [hotfix, setHotfix] = useState(false);
  const closeHotfix = useCallback(() => setHotfix(false), []);

  const set = (change: { branch?: string; q?: string }) =>
    navigate({
      to: "/workloads/$name/commits",
      params: { name },
      search: (before) => ({ ...before, ...change }),
      replace: true,
    });
  const openDeploy = useCallback(
    (commit: string) =>
      navigate({
        to: "/workloads/$name/commits",
        params: { name },
        search: (before) => ({ ...before, deploy: commit }),
      }),
    [navigate, name],
  );
  const columns = useMemo(() => commitColumns(openDeploy, build), [openDeploy, build]);

  return (
    <>
      <div className="page-x flex flex-wrap items-center gap-2 py-3">
        <Pick
          label="Branch"
          mono
          value={branch}
          options={branchOptions(branch, branches?.map((it) => it.name) ?? [])}
          onChange={(next) => set({ branch: next === workload?.default_branch ? undefined : next })}
          className="w-48 max-sm:w-full"
        />
        <SearchField
          label="Search commits"
          placeholder="Message, author or id"
          value={search.q ?? ""}
          onChange={(q) => set({ q: q || undefined })}
          className="w-64 max-sm:w-full"
        />
        {workload?.current && (
          <Button onClick={() => setHotfix(true)} className="max-sm:w-full">
            Hotfix
          </Button>
        )}
        {workload && <SyncNote workload={workload} />}
      </div>
      {query.error && (
        <ProblemView error={query.error} onRetry={() => query.refetch()} className="page-x pb-4" />
      )}
      {query.isPending && <TableSkeleton columns={columns} what="commits" />}
      {commits && commits.length > 0 && (
        <DataTable label="Commits" columns={columns} rows={commits} rowId={commitId} />
      )}
      {commits?.length === 0 && search.q && (
        <Empty title={`No commit on ${branch} has “${search.q}”`}>
          <Button onClick={() => set({ q: undefined })}>Show all commits</Button>
        </Empty>
      )}
      {commits?.length === 0 && !search.q && (
        <Empty title={`No commits on ${branch}`}>
          <p className="text-muted">Push one, and it appears here.</p>
          <Command text={`git push origin ${branch}`} />
        </Empty>
      )}
      <More
        what="commits"
        hasNextPage={query.hasNextPage}
        isFetchingNextPage={query.isFetchingNextPage}
        fetchNextPage={query.fetchNextPage}
      />
      {hotfix && workload && (
        <HotfixDialog workload={workload} commits={commits ?? []} onClose={closeHotfix} />
      )}
    </>
  );
}

const commitId = (commit: Commit) => commit.id;

function branchOptions(current: string, names: string[]) {
  const all = names.includes(current) ? names : [current, ...names];
  return all.map((name) => ({ value: name, label: name }));
}
