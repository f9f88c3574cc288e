import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";
import { statusQuery } from "@/api/queries";
import type { PodStatus } from "@/api/types";
import { Empty } from "@/components/empty";
import { ProblemView } from "@/components/problem";
import { DataTable, TableSkeleton } from "@/components/table";
import { WorkloadDelivery } from "@/pages/delivery/panel";
import { Containers } from "./containers";
import { Events } from "./events";
import { podColumns } from "./pod-columns";
import { Runs } from "./runs";

/** Pods with their containers, and what Kubernetes says about them. */
export function StatusTab() {
  const { name } = useParams({ from: "/app/workloads/$name" });
  const { data: status, error, refetch } = useQuery(statusQuery(name));
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const toggle = useCallback(
    (pod: string) =>
      setOpen((before) => {
        const next = new Set(before);
        if (!next.delete(pod)) next.add(pod);
        return next;
      }),
    [],
  );
  const columns = useMemo(() => podColumns(open, toggle), [open, toggle]);
  const detail = useCallback(
    (pod: PodStatus) => (open.has(pod.name) ? <Containers workload={name} pod={pod} /> : null),
    [open, name],
  );

  if (error && !status) {
    return <ProblemView error={error} onRetry={() => refetch()} className="page-x py-4" />;
  }
  if (!status) return <TableSkeleton columns={columns} what="pods" rows={3} />;
  return (
    <>
      {status.schedule && <Runs name={name} schedule={status.schedule} />}
      <h2 className="sr-only">Pods</h2>
      {status.pods.length === 0 ? (
        <Empty title="No pods">
          <p className="text-muted">
            {status.health === "not_deployed"
              ? "They appear here as soon as a commit is deployed."
              : status.schedule
                ? "A run's pods appear here while Kubernetes keeps them."
                : status.reason || "The cluster has none for this workload."}
          </p>
        </Empty>
      ) : (
        <DataTable
          label="Pods"
          columns={columns}
          rows={status.pods}
          rowId={podId}
          detail={detail}
        />
      )}
      <WorkloadDelivery name={name} />
      <Events events={status.events} />
    </>
  );
}

const podId = (pod: PodStatus) => pod.name;
