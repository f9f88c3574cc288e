import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { freezesQuery, workloadsQuery } from "@/api/queries";
import type { Freeze, WorkloadSummary } from "@/api/types";
import { Button } from "@/components/button";
import { Empty } from "@/components/empty";
import { Facts } from "@/components/facts";
import { ProblemView } from "@/components/problem";
import { Bone, Loading } from "@/components/skeleton";
import { DataTable, TableSkeleton } from "@/components/table";
import { usePage } from "@/frame/page";
import { useNow } from "@/lib/clock";
import { plural } from "@/lib/format";
import { isOver } from "@/lib/freezes";
import { ProjectDelivery } from "@/pages/delivery/panel";
import { freezeColumns, freezeDetail } from "@/pages/freezes/columns";
import { CreateFreezeDialog, EndFreezeDialog } from "@/pages/freezes/dialogs";
import { ExceptDialog } from "@/pages/rules/except";
import { columns as workloadColumns } from "@/pages/workloads/columns";
import { ProjectRules } from "./rules";

/** Every column but the one that says the same in each row. */
const columns = workloadColumns.filter((column) => column.id !== "project");

/** A project: its workloads, and the rules that hold for all of them. */
export function ProjectPage() {
  const { project } = useParams({ from: "/app/projects/$project" });
  usePage([{ label: "Workloads", to: "/workloads" }, { label: `Project ${project}` }]);
  const { data, error, isPending, refetch } = useQuery(workloadsQuery);
  const workloads = useMemo(() => data?.filter((it) => it.project === project), [data, project]);
  const production = workloads?.filter((it) => it.category === "Production").length ?? 0;
  return (
    <>
      <header className="page-x pt-4 pb-4">
        <h1 className="text-xl font-semibold tracking-tight wrap-anywhere">Project {project}</h1>
        {workloads ? (
          <Facts className="mt-1">
            <span>{plural(workloads.length, "workload")}</span>
            {production > 0 && <span>{production} in production</span>}
          </Facts>
        ) : (
          <div className="mt-1 flex h-5 items-center">{!error && <Bone className="w-40" />}</div>
        )}
      </header>
      {error && <ProblemView error={error} onRetry={() => refetch()} className="page-x pb-4" />}
      <section aria-label="Workloads" className="border-t">
        {isPending && <TableSkeleton columns={columns} what="workloads" rows={3} />}
        {workloads && workloads.length > 0 && (
          <DataTable
            label={`Workloads of project ${project}`}
            columns={columns}
            rows={workloads}
            rowId={workloadId}
          />
        )}
        {workloads?.length === 0 && (
          <Empty title={`No workload is of project ${project}`}>
            <p className="max-w-prose text-muted">
              A workload names its project in its config file (
              <code className="font-mono text-xs">metadata.project</code>). Once one is created, its
              project's rules and freezes stand here.
            </p>
            <Button asChild>
              <Link to="/workloads">See all workloads</Link>
            </Button>
          </Empty>
        )}
      </section>
      {workloads?.length !== 0 && (
        <>
          <ProjectDelivery project={project} />
          <Freezes project={project} />
          <section aria-label="Rules" className="border-t">
            <h2 className="page-x pt-4 font-medium">Rules for all its workloads</h2>
            <ProjectRules project={project} />
          </section>
        </>
      )}
    </>
  );
}

const workloadId = (it: WorkloadSummary) => it.name;
const freezeId = (it: Freeze) => String(it.id);

/** Freezes that hold its workloads now or will: its own, and those of everything. */
function Freezes({ project }: { project: string }) {
  const now = useNow();
  const query = useInfiniteQuery(freezesQuery(false));
  const [creating, setCreating] = useState(false);
  const [ending, setEnding] = useState<Freeze | null>(null);
  const [excepting, setExcepting] = useState<Freeze | null>(null);
  const freezes = query.data?.pages
    .flatMap((page) => page.items)
    .filter((it) => !isOver(it, now) && (!it.project || it.project === project));
  const columns = useMemo(
    () => freezeColumns(now, { onEnd: setEnding, onExcept: setExcepting }),
    [now],
  );
  return (
    <section aria-label="Freezes" className="mt-6 border-t pt-3">
      <div className="page-x flex flex-wrap items-center justify-between gap-3 pb-2">
        <h2 className="font-medium">Freezes</h2>
        <Button onClick={() => setCreating(true)}>Freeze this project</Button>
      </div>
      {query.error && (
        <ProblemView error={query.error} onRetry={() => query.refetch()} className="page-x pb-4" />
      )}
      {query.isPending && (
        <div className="page-x flex h-9 items-center">
          <Loading what="freezes" />
          <Bone className="w-56" />
        </div>
      )}
      {freezes?.length === 0 && <p className="page-x pb-4 text-muted">None now, and none ahead.</p>}
      {freezes && freezes.length > 0 && (
        <DataTable
          label="Freezes"
          columns={columns}
          rows={freezes}
          rowId={freezeId}
          detail={freezeDetail}
          pageKeys={false}
        />
      )}
      {creating && <CreateFreezeDialog project={project} onClose={() => setCreating(false)} />}
      {ending && <EndFreezeDialog freeze={ending} onClose={() => setEnding(null)} />}
      {excepting && <ExceptDialog freeze={excepting} onClose={() => setExcepting(null)} />}
    </section>
  );
}
