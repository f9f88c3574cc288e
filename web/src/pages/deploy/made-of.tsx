import { Link } from "@tanstack/react-router";
import type { Hotfix } from "@/api/types";
import { Sha } from "@/components/commit";

/** What a hotfix was made of: the commits that were picked, and what they were put on. */
export function MadeOf({ hotfix, workload }: { hotfix: Hotfix; workload: string }) {
  return (
    <section aria-label="What the hotfix is made of" className="page-x pb-4">
      <h2 className="font-medium">Made of</h2>
      <ul className="mt-1 flex flex-wrap gap-x-3">
        {hotfix.commits.map((commit) => (
          <li key={commit}>
            <Sha commit={commit} className="text-text!" />
          </li>
        ))}
      </ul>
      <p className="mt-1 break-words text-muted">
        Picked onto <Sha commit={hotfix.base_commit} /> of{" "}
        <Link
          to="/deploys/$id"
          params={{ id: String(hotfix.base_deploy) }}
          className="link underline"
        >
          deploy {hotfix.base_deploy}
        </Link>
        , and pushed as{" "}
        <Link
          to="/workloads/$name/commits"
          params={{ name: workload }}
          search={{ branch: hotfix.branch }}
          className="link font-mono text-xs wrap-anywhere"
        >
          {hotfix.branch}
        </Link>
        . Merge that branch, or the next deploy of the main branch leaves it out.
      </p>
    </section>
  );
}
