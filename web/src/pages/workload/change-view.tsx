import { ArrowRight } from "lucide-react";
import type { Commit, DeploySummary } from "@/api/types";
import { Sha } from "@/components/commit";
import { type Change, changeBetween } from "@/lib/commits";
import { plural } from "@/lib/format";

interface Props {
  commits: Commit[];
  current: DeploySummary | null;
  target: string;
  chosen: Commit | undefined;
  pods: number;
}

const MOST = 8;

/** What a deploy changes, before it does: the commits, the build, the pods, and the way back. */
export function ChangeView({ commits, current, target, chosen, pods }: Props) {
  const change = changeBetween(commits, current?.commit ?? null, target);
  const between = "between" in change ? change.between : [];
  return (
    <section aria-label="What changes" className="rounded-md bg-rail px-3 py-2.5">
      <p className="font-medium">
        {current && change.direction !== "same" && (
          <>
            <Sha commit={current.commit} className="text-text!" />
            <ArrowRight className="mx-1.5 inline size-3.5 text-faint" aria-label="becomes" />
          </>
        )}
        <Sha commit={target} className="mr-2 text-text!" />
        {changeWords(change)}
      </p>
      {between.length > 0 && (
        <ul className="mt-1.5 flex flex-col gap-0.5">
          {between.slice(0, MOST).map((commit) => (
            <li key={commit.id} className="flex min-w-0 items-baseline gap-2">
              <Sha commit={commit.id} />
              <span className="min-w-0 flex-1 truncate" title={commit.title}>
                {commit.title}
              </span>
              <span
                className="max-w-2/5 shrink-0 truncate text-faint max-sm:hidden"
                title={commit.author}
              >
                {commit.author}
              </span>
            </li>
          ))}
          {between.length > MOST && (
            <li className="text-faint">and {between.length - MOST} more</li>
          )}
        </ul>
      )}
      {change.direction !== "same" && (
        <p className="mt-1.5 text-muted">
          {buildWords(chosen)}
          {pods > 0 &&
            ` ${plural(pods, "pod")} ${pods === 1 ? "is" : "are"} replaced one after another.`}
          {current && current.commit !== target && " The way back is to deploy "}
          {current && current.commit !== target && (
            <>
              <Sha commit={current.commit} />.
            </>
          )}
        </p>
      )}
    </section>
  );
}

export function changeWords(change: Change): string {
  switch (change.direction) {
    case "first":
      return "The first deploy";
    case "same":
      return "runs already. Deploying it again undoes only what was changed by hand.";
    case "forward":
      return `${plural(change.between.length, "commit")} come${change.between.length === 1 ? "s" : ""} in`;
    case "back":
      return `Goes back by ${plural(change.between.length, "commit")}`;
    default:
      return "";
  }
}

export function buildWords(commit: Commit | undefined): string {
  switch (commit?.artifact_status) {
    case "available":
      return "Its artifact is ready, so nothing is built.";
    case "building":
    case "queued":
      return "It waits for its build first.";
    case "failed":
    case "canceled":
      return "Its last build did not succeed; it is built again first.";
    default:
      return "It is built first.";
  }
}
