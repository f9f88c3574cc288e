import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { pullsQuery, workloadQuery } from "@/api/queries";
import type { PullRequest } from "@/api/types";
import { Command } from "@/components/copy";
import { Empty } from "@/components/empty";
import { ProblemView } from "@/components/problem";
import { DataTable, TableSkeleton } from "@/components/table";
import { pullColumns } from "./columns";

/** Open pull requests, each with its own instance of the workload if it has one. */
export function PullRequestsTab() {
  const { name } = useParams({ from: "/app/workloads/$name" });
  const { data: workload } = useQuery(workloadQuery(name));
  const { data: pulls, error, refetch } = useQuery(pullsQuery(name));
  const columns = useMemo(() => pullColumns(name), [name]);
  const auto = workload?.previews?.auto;
  return (
    <>
      {error && <ProblemView error={error} onRetry={() => refetch()} className="page-x py-4" />}
      {!pulls && !error && <TableSkeleton columns={columns} what="pull requests" rows={3} />}
      {pulls && pulls.length > 0 && (
        <>
          <p className="page-x py-3 text-muted">
            A preview runs beside {name} and never takes its place.{" "}
            {auto
              ? "Each pull request gets one by itself; one from a fork, once it is allowed."
              : "A pull request gets one when somebody deploys it."}
          </p>
          <DataTable label="Pull requests" columns={columns} rows={pulls} rowId={pullId} />
        </>
      )}
      {pulls?.length === 0 && (
        <Empty title="No open pull requests">
          <p className="text-muted">
            Each one of the repository appears here, and can be deployed beside {name}. From the
            command line:
          </p>
          <Command text={`hermez deploy --pr 12 --workload ${name} --watch`} />
        </Empty>
      )}
    </>
  );
}

const pullId = (it: PullRequest) => String(it.number);
