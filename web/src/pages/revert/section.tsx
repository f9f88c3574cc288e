import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ExternalLink, GitPullRequestArrow } from "lucide-react";
import { receiptQuery } from "@/api/queries";
import { useRevert } from "@/api/revert";
import type { DeploySummary, Revert } from "@/api/types";
import { Button } from "@/components/button";
import { CommitLine, Sha } from "@/components/commit";
import { ProblemView } from "@/components/problem";
import { Ago } from "@/components/time";
import { plural, safeHref } from "@/lib/format";

interface Props {
  /** The rollback's number. */
  rollback: number;
  workload: string;
  /** The deploy that it left, where it is known. */
  left: number | null | undefined;
  /** The pull request that it has already. */
  revert: Revert | null | undefined;
}

/** A rollback that did not take place left nothing. */
export const mayRevert = ({ kind, state }: Pick<DeploySummary, "kind" | "state">): boolean =>
  kind === "rollback" && state !== "canceled" && state !== "superseded";

/** The same, beneath the deploy that failed and was rolled back since. */
export function RevertOfFailed({ deploy }: { deploy: DeploySummary }) {
  const { data: receipt } = useQuery(receiptQuery(deploy.id));
  const rollback = receipt?.rolled_back_by;
  if (rollback == null) return null;
  return (
    <>
      <p className="page-x pb-3 text-muted">
        It was rolled back by{" "}
        <Link to="/deploys/$id" params={{ id: String(rollback) }} className="link underline">
          deploy {rollback}
        </Link>
        .
      </p>
      <RevertSection
        rollback={rollback}
        workload={deploy.workload}
        left={deploy.id}
        revert={receipt?.revert}
      />
    </>
  );
}

/**
 * A rollback changes what runs and nothing in the repository: what is there still, and the pull
 * request that takes it back.
 */
export function RevertSection({ rollback, workload, left, revert: known }: Props) {
  const asked = useRevert(rollback);
  const revert = known ?? asked.revert;
  return (
    <section aria-label="In the repository" className="page-x pb-4">
      <div className="flex gap-3 rounded-lg bg-rail px-4 py-3">
        <GitPullRequestArrow className="mt-0.5 size-4 shrink-0 text-muted" aria-hidden />
        <div className="min-w-0 flex-1" aria-live="polite">
          {revert ? (
            <Proposed revert={revert} workload={workload} />
          ) : (
            <Offer left={left} isPending={asked.isPending} propose={asked.propose} />
          )}
        </div>
      </div>
      {!revert && asked.error && <ProblemView error={asked.error} className="mt-3" />}
    </section>
  );
}

interface OfferProps {
  left: number | null | undefined;
  isPending: boolean;
  propose: () => void;
}

function Offer({ left, isPending, propose }: OfferProps) {
  return (
    <>
      <p className="font-medium">The repository still has what was rolled back</p>
      <p className="max-w-prose">
        The next deploy of its branch would bring out again what{" "}
        {left == null ? (
          "was left"
        ) : (
          <>
            <Link to="/deploys/$id" params={{ id: String(left) }} className="link underline">
              deploy {left}
            </Link>{" "}
            brought
          </>
        )}
        . A pull request that reverts those commits can be merged like any other.
      </p>
      <Button className="mt-2.5 max-sm:w-full" busy={isPending} onClick={propose}>
        Propose revert as a pull request
      </Button>
    </>
  );
}

function Proposed({ revert, workload }: { revert: Revert; workload: string }) {
  const href = safeHref(revert.url);
  const name = `Pull request ${revert.pull_request}`;
  return (
    <>
      <p className="font-medium">
        {href ? (
          <a href={href} target="_blank" rel="noreferrer" className="link-accent underline">
            {name}
            <ExternalLink className="ml-1 inline size-3.5 align-[-0.125em]" aria-hidden />
          </a>
        ) : (
          name
        )}{" "}
        takes back what{" "}
        <Link
          to="/deploys/$id"
          params={{ id: String(revert.left_deploy) }}
          className="link underline"
        >
          deploy {revert.left_deploy}
        </Link>{" "}
        brought
      </p>
      <p className="break-words text-muted">
        Proposed by {revert.by} <Ago at={revert.at} />, as <Sha commit={revert.commit} /> from{" "}
        <code className="font-mono text-xs wrap-anywhere">{revert.branch}</code> to{" "}
        <code className="font-mono text-xs wrap-anywhere">{revert.base_branch}</code>
      </p>
      <ul
        aria-label={`${plural(revert.commits.length, "commit")} taken back`}
        className="mt-1.5 flex flex-col gap-0.5"
      >
        {revert.commits.map((commit) => (
          <li key={commit.id}>
            <CommitLine commit={commit.id} title={commit.title} />
          </li>
        ))}
      </ul>
      <p className="mt-1.5 max-w-prose text-muted">
        Merge it before the next deploy of that branch. Automatic deploys wait as long as{" "}
        <Link
          to="/workloads/$name"
          params={{ name: workload }}
          className="link underline wrap-anywhere"
        >
          {workload}
        </Link>{" "}
        is pinned.
      </p>
    </>
  );
}
