import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import { isMissing } from "@/api/problem";
import { pullQuery, workloadQuery } from "@/api/queries";
import { Button } from "@/components/button";
import { Empty } from "@/components/empty";
import { ProblemView } from "@/components/problem";
import { BoneLine, Loading } from "@/components/skeleton";
import { PullRequestView } from "./view";

/** One pull request: its preview, and what can be done with it. */
export function PullRequestPage() {
  const { name, number: text } = useParams({ from: "/app/workloads/$name/pull-requests/$number" });
  const number = Number(text);
  const valid = Number.isSafeInteger(number) && number > 0;
  const { data: workload } = useQuery(workloadQuery(name));
  const { data: pull, error, refetch } = useQuery({ ...pullQuery(name, number), enabled: valid });
  if (!valid || isMissing(error)) {
    return (
      <Empty title={`${name} has no pull request ${text}`}>
        <p className="text-muted">It may be of another repository, or the number is misspelt.</p>
        <Button asChild>
          <Link to="/workloads/$name/pull-requests" params={{ name }}>
            See all pull requests
          </Link>
        </Button>
      </Empty>
    );
  }
  return (
    <>
      <p className="page-x pt-3">
        <Link
          to="/workloads/$name/pull-requests"
          params={{ name }}
          className="link inline-flex items-center gap-1 text-muted!"
        >
          <ArrowLeft className="size-3.5" aria-hidden />
          All pull requests
        </Link>
      </p>
      {error && <ProblemView error={error} onRetry={() => refetch()} className="page-x py-4" />}
      {!error && (!pull || !workload) && <PullSkeleton number={number} />}
      {pull && workload && <PullRequestView workload={workload} pull={pull} />}
    </>
  );
}

const PullSkeleton = ({ number }: { number: number }) => (
  <div className="page-x pt-2 pb-6">
    <Loading what={`pull request ${number}`} />
    <BoneLine line="h-6" className="h-4! w-72 max-w-full" />
    <BoneLine line="mt-1 h-5" className="w-96 max-w-full" />
    <BoneLine line="mt-6 h-5" className="w-40" />
    <BoneLine line="mt-1 h-5" className="w-80 max-w-full" />
  </div>
);
