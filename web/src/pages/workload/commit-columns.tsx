import { Link } from "@tanstack/react-router";
import { Check } from "lucide-react";
import type { Commit } from "@/api/types";
import { Button } from "@/components/button";
import { Status } from "@/components/status";
import type { Column } from "@/components/table";
import { Ago } from "@/components/time";
import { shortSha } from "@/lib/format";
import { ARTIFACT } from "@/lib/status";

export function commitColumns(
  onDeploy: (commit: string) => void,
  onBuild: (commit: Commit) => void,
): Column<Commit>[] {
  return [
    {
      id: "commit",
      header: "Commit",
      className: "w-22 md:w-26",
      cell: (it) => (
        <button
          type="button"
          data-row-link
          title={it.id}
          onClick={() => onDeploy(it.id)}
          className="link font-mono text-xs"
        >
          <span className="sr-only">Deploy </span>
          {shortSha(it.id)}
        </button>
      ),
    },
    {
      id: "title",
      header: "Title",
      cell: (it) => (
        <span className="flex min-w-0 items-center gap-2">
          <span className="truncate" title={it.title}>
            {it.title}
          </span>
          {it.deployed && (
            <span className="inline-flex shrink-0 items-center gap-1 text-ok">
              <Check className="size-3.5" aria-hidden />
              Runs now
            </span>
          )}
        </span>
      ),
    },
    {
      id: "branch",
      header: "Branch",
      className: "w-32 max-xl:hidden",
      cell: (it) => (
        <span className="block truncate font-mono text-xs text-muted" title={it.branch}>
          {it.branch}
        </span>
      ),
    },
    {
      id: "author",
      header: "Author",
      className: "w-36 max-lg:hidden",
      cell: (it) => (
        <span className="block truncate text-muted" title={`${it.author} <${it.author_email}>`}>
          {it.author}
        </span>
      ),
    },
    {
      id: "time",
      header: "Commit time",
      className: "w-30 max-md:hidden",
      cell: (it) => (
        <span className="text-muted">
          <Ago at={it.committed_at} />
        </span>
      ),
    },
    {
      id: "artifact",
      header: "Artifact",
      className: "w-32 max-sm:hidden",
      cell: (it) => <Artifact commit={it} onBuild={onBuild} />,
    },
    {
      id: "deploy",
      header: "Deploy",
      right: true,
      quiet: true,
      className: "w-22 sm:w-38",
      cell: (it) => (
        <Button
          look="quiet"
          className="-my-1 -mr-2 h-7! px-2! group-hover:text-accent-text! group-focus-within:text-accent-text!"
          onClick={() => onDeploy(it.id)}
        >
          Deploy <span className="font-mono text-xs max-sm:sr-only">{shortSha(it.id)}</span>
        </Button>
      ),
    },
  ];
}

function Artifact({ commit, onBuild }: { commit: Commit; onBuild: (commit: Commit) => void }) {
  const status = <Status look={ARTIFACT[commit.artifact_status]} />;
  if (commit.build) {
    return (
      <Link
        to="/builds/$id"
        params={{ id: String(commit.build.id) }}
        className="block hover:underline"
        title={commit.build.error ?? `Build ${commit.build.id}`}
      >
        {status}
      </Link>
    );
  }
  if (commit.artifact_status === "none") {
    return (
      <span className="flex items-center gap-2">
        <Button
          look="quiet"
          className="-my-1 -ml-2 h-7! px-2! group-hover:text-accent-text! group-focus-within:text-accent-text!"
          onClick={() => onBuild(commit)}
        >
          Build <span className="font-mono text-xs">{shortSha(commit.id)}</span>
        </Button>
      </span>
    );
  }
  return status;
}
