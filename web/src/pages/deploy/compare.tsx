import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { isMissing } from "@/api/problem";
import { comparisonQuery } from "@/api/queries";
import type { DeploySummary } from "@/api/types";
import { Button } from "@/components/button";
import { CommitLine } from "@/components/commit";
import { Comparison } from "@/components/comparison";
import { Empty } from "@/components/empty";
import { Facts } from "@/components/facts";
import { ProblemView } from "@/components/problem";
import { Bone, Loading } from "@/components/skeleton";
import { DeployStatus } from "@/components/status";
import { Ago, Took } from "@/components/time";
import { usePage } from "@/frame/page";

/** Two deploys of one workload, side by side. */
export function ComparePage() {
  const { id, other } = useParams({ from: "/app/deploys/$id/compare/$other" });
  const { data, error, refetch } = useQuery(comparisonQuery(Number(id), Number(other)));
  usePage([
    { label: "Workloads", to: "/workloads" },
    ...(data ? [{ label: data.to.workload, to: `/workloads/${data.to.workload}` }] : []),
    { label: `Deploy ${id} and ${other}` },
  ]);
  if (isMissing(error)) {
    return (
      <Empty page title={`There is no deploy ${id}, or no deploy ${other}`}>
        <Button asChild>
          <Link to="/activity">See all deploys</Link>
        </Button>
      </Empty>
    );
  }
  return (
    <div className="page-x flex flex-col gap-5 py-4">
      <h1 className="text-xl font-semibold tracking-tight">
        From deploy {id} to deploy {other}
      </h1>
      {error && <ProblemView error={error} onRetry={() => refetch()} />}
      {!data && !error && (
        <div className="flex h-20 items-center">
          <Loading what="the comparison" />
          <Bone className="w-2/3" />
        </div>
      )}
      {data && (
        <>
          <div className="grid gap-4 sm:grid-cols-2">
            <Side name="From" deploy={data.from} />
            <Side name="To" deploy={data.to} />
          </div>
          <Comparison change={data} />
        </>
      )}
    </div>
  );
}

function Side({ name, deploy }: { name: string; deploy: DeploySummary }) {
  return (
    <section aria-label={name} className="min-w-0 rounded-md bg-rail px-3 py-2.5">
      <h2 className="flex items-center gap-2 font-medium">
        {name}
        <Link to="/deploys/$id" params={{ id: String(deploy.id) }} className="link">
          deploy {deploy.id}
        </Link>
        <DeployStatus state={deploy.state} />
      </h2>
      <CommitLine commit={deploy.commit} title={deploy.title} />
      <Facts className="mt-0.5">
        <span>by {deploy.requested_by}</span>
        <Ago at={deploy.created_at} />
        <span>
          took <Took startedAt={deploy.created_at} finishedAt={deploy.finished_at} />
        </span>
      </Facts>
    </section>
  );
}
