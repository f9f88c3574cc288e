import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { clsx } from "clsx";
import { type Ref, useDeferredValue, useMemo, useRef, useState } from "react";
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
import { TimeField } from "@/components/time-field";
import { pick } from "@/lib/picks";
import { DEPLOY_KINDS, DEPLOY_STATES, type HistorySearch, oneOf } from "@/lib/search";
import { DEPLOY, KIND } from "@/lib/status";
import { fieldTime, instantOf, readWhen } from "@/lib/when";
import { CompareBar, pickColumn } from "./compare-picks";

const COLUMNS = deployColumns(false);

/** Every deploy of the workload, newest first. */
export function HistoryTab() {
  const { name } = useParams({ from: "/app/workloads/$name" });
  // What is chosen to be compared is of one workload.
  return <History key={name} name={name} />;
}

function History({ name }: { name: string }) {
  const search = useSearch({ from: "/app/workloads/$name/history" });
  const filter = useMemo(() => filterOf(search), [search]);
  const wanted = useDeferredValue(filter);
  // Times between which nothing lies are told at their fields, and not asked for.
  const wrong = isWrong(search);
  const query = useInfiniteQuery({
    ...deploysQuery(name, wanted),
    enabled: !wrong,
    // Other deploys of the same workload stay until those of the new filter are there.
    placeholderData: (before, query) => (query?.queryKey[1] === name ? before : undefined),
  });
  const deploys = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  const [picks, setPicks] = useState<number[] | null>(null);
  const compare = useRef<HTMLButtonElement>(null);
  const close = () => {
    setPicks(null);
    compare.current?.focus();
  };
  const columns = useMemo(
    () =>
      picks === null
        ? COLUMNS
        : [pickColumn(picks, (id) => setPicks((now) => pick(now ?? [], id))), ...COLUMNS],
    [picks],
  );
  const filtered = wrong || Object.keys(filter).length > 0;
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
      <HistoryFilter
        compare={compare}
        comparing={picks !== null}
        onCompare={() => setPicks(picks === null ? [] : null)}
      />
      {query.error && (
        <ProblemView error={query.error} onRetry={() => query.refetch()} className="page-x pb-4" />
      )}
      {!wrong && query.isPending && <TableSkeleton columns={columns} what="deploys" rows={5} />}
      {!wrong && deploys && deploys.length > 0 && (
        <DataTable label="Deploys" columns={columns} rows={deploys} rowId={deployId} />
      )}
      {(wrong || deploys?.length === 0) && <NoHit />}
      <More
        what="deploys"
        hasNextPage={!wrong && query.hasNextPage}
        isFetchingNextPage={query.isFetchingNextPage}
        fetchNextPage={query.fetchNextPage}
      />
      {picks && <CompareBar picks={picks} onClose={close} />}
    </>
  );
}

const deployId = (it: DeploySummary) => String(it.id);

/** Only what is asked for, so that no filter is the plain list. */
const filterOf = (search: HistorySearch): DeployFilter => {
  const { state, kind, by, commit } = search;
  const all = { state, kind, by, commit, ...readWhen(search).asked };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
};

const isWrong = (search: HistorySearch): boolean => {
  const { since, until } = readWhen(search).wrong;
  return since !== null || until !== null;
};

function useSetFilter() {
  const navigate = useNavigate();
  return (change: HistorySearch) =>
    navigate({ to: ".", search: (before) => ({ ...before, ...change }) as never, replace: true });
}

function NoHit() {
  const set = useSetFilter();
  const none = {
    state: undefined,
    kind: undefined,
    by: undefined,
    commit: undefined,
    since: undefined,
    until: undefined,
  };
  return (
    <Empty title="No deploy passes these filters">
      <Button onClick={() => set(none)}>Clear the filters</Button>
    </Empty>
  );
}

interface FilterProps {
  /** The button that begins to choose two, and ends it. */
  compare: Ref<HTMLButtonElement>;
  comparing: boolean;
  onCompare: () => void;
}

function HistoryFilter({ compare, comparing, onCompare }: FilterProps) {
  const search = useSearch({ from: "/app/workloads/$name/history" });
  const set = useSetFilter();
  const { wrong } = readWhen(search);
  return (
    <div className="page-x flex flex-wrap items-start gap-2 py-3">
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
      <TimeField
        label="From"
        value={fieldTime(search.since)}
        wrong={wrong.since}
        onChange={(value) => set({ since: instantOf(value) ?? undefined })}
        className="w-64 max-sm:w-full"
      />
      <TimeField
        label="Until"
        value={fieldTime(search.until)}
        wrong={wrong.until}
        onChange={(value) => set({ until: instantOf(value) ?? undefined })}
        className="w-64 max-sm:w-full"
      />
      <Button
        ref={compare}
        aria-pressed={comparing}
        onClick={onCompare}
        className={clsx("ml-auto max-sm:w-full", comparing && "bg-selected!")}
      >
        Compare two deploys
      </Button>
    </div>
  );
}
