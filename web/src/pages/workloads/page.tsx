import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { clsx } from "clsx";
import { Plus } from "lucide-react";
import { useCallback, useMemo } from "react";
import { workloadsQuery } from "@/api/queries";
import type { WorkloadSummary } from "@/api/types";
import { Button } from "@/components/button";
import { Command } from "@/components/copy";
import { Empty } from "@/components/empty";
import { Pick, SearchField } from "@/components/field";
import { ProblemView } from "@/components/problem";
import { Bone } from "@/components/skeleton";
import { DataTable, type Sort, TableSkeleton } from "@/components/table";
import { usePage } from "@/frame/page";
import { plural } from "@/lib/format";
import { sortFromText, sortToText } from "@/lib/search";
import { columns } from "./columns";
import { CreateDialog } from "./create-dialog";
import { filterWorkloads, typesOf } from "./filter";

const CATEGORIES = [
  { value: "", label: "Any category" },
  { value: "Production", label: "Production" },
  { value: "Non-Production", label: "Non-Production" },
];

/** All workloads: what runs, and how it does. */
export function WorkloadsPage() {
  usePage([{ label: "Workloads" }]);
  const search = useSearch({ from: "/app/workloads" });
  const navigate = useNavigate({ from: "/workloads" });
  const { data, error, isPending, refetch } = useQuery(workloadsQuery);
  const shown = useMemo(() => filterWorkloads(data ?? [], search), [data, search]);
  const types = useMemo(() => typesOf(data ?? []), [data]);

  const set = useCallback(
    (change: Partial<typeof search>) =>
      navigate({ search: (before) => ({ ...before, ...change }), replace: true }),
    [navigate],
  );
  const setSort = useCallback((sort: Sort | null) => set({ sort: sortToText(sort) }), [set]);
  const sort = useMemo(
    () => sortFromText(search.sort) ?? { id: "name", desc: false },
    [search.sort],
  );
  const closeCreate = useCallback(() => set({ create: undefined }), [set]);
  const openCreate = () => navigate({ search: (before) => ({ ...before, create: true }) });
  const none = data?.length === 0;
  const filtered = Boolean(search.category || search.name || search.type);

  return (
    <>
      <h1 className="sr-only">Workloads</h1>
      <div className={clsx("page-x flex flex-wrap items-center gap-2 py-3", none && "hidden")}>
        <Pick
          label="Category"
          value={search.category ?? ""}
          options={CATEGORIES}
          onChange={(category) => set({ category: category || undefined })}
          className="w-38 max-sm:order-2 max-sm:flex-1"
        />
        <SearchField
          label="Workload name"
          value={search.name ?? ""}
          onChange={(name) => set({ name: name || undefined })}
          className="w-64 max-sm:order-1 max-sm:w-full"
        />
        <Pick
          label="Workload type"
          value={search.type ?? ""}
          options={[
            { value: "", label: "Any type" },
            ...types.map((type) => ({ value: type, label: type })),
          ]}
          onChange={(type) => set({ type: type || undefined })}
          className="w-44 max-sm:order-2 max-sm:flex-1"
        />
        <p className="nums ml-1 text-faint max-lg:hidden" role="status">
          {data ? counted(shown, data) : !error && <Bone className="w-20" />}
        </p>
        <Button
          look="primary"
          icon={<Plus className="size-4" aria-hidden />}
          shortcut="c"
          onClick={openCreate}
          className="ml-auto max-sm:order-3 max-sm:w-full"
        >
          Create a workload
        </Button>
      </div>
      {error && (
        <ProblemView error={error} onRetry={() => refetch()} className="page-x pt-1 pb-4" />
      )}
      {isPending && <TableSkeleton columns={columns} what="workloads" />}
      {data && data.length > 0 && (
        <DataTable
          label="Workloads"
          columns={columns}
          rows={shown}
          rowId={rowId}
          sort={sort}
          onSort={setSort}
        />
      )}
      {data && shown.length === 0 && filtered && (
        <Empty title="No workload passes these filters">
          <Button onClick={() => set({ category: undefined, name: undefined, type: undefined })}>
            Clear the filters
          </Button>
        </Empty>
      )}
      {none && <NoWorkloads onCreate={openCreate} />}
      {search.create && <CreateDialog onClose={closeCreate} />}
    </>
  );
}

const rowId = (it: WorkloadSummary) => it.name;

function counted(shown: WorkloadSummary[], all: WorkloadSummary[]): string {
  const whole = plural(all.length, "workload");
  return shown.length === all.length ? whole : `${shown.length.toLocaleString("en")} of ${whole}`;
}

function NoWorkloads({ onCreate }: { onCreate: () => void }) {
  return (
    <Empty title="No workloads yet">
      <p className="max-w-prose text-muted">
        A workload is what you deploy: a code repository and a Kubernetes config file in it. Hermez
        reads the rest from them, builds each commit and brings it out.
      </p>
      <Button look="primary" shortcut="c" onClick={onCreate}>
        Create a workload
      </Button>
      <p className="mt-2 text-muted">Or from the command line:</p>
      <Command text="hermez workload create --repository https://git.example/team/hello.git --config deploy/service.yaml" />
    </Empty>
  );
}
