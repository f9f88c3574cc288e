import { Link } from "@tanstack/react-router";
import { ExternalLink } from "lucide-react";
import type { PullRequest } from "@/api/types";
import { BadMark } from "@/components/bad-mark";
import { Sha } from "@/components/commit";
import { Status } from "@/components/status";
import type { Column } from "@/components/table";
import { Ago } from "@/components/time";
import { safeHref } from "@/lib/format";
import { hasPreview, isBehind, needsAllowing, previewLook } from "@/lib/previews";

/** Pull requests as the list shows them: which, how its preview is, and where it answers. */
export function pullColumns(name: string): Column<PullRequest>[] {
  return [
    {
      id: "pull",
      header: "Pull request",
      cell: (it) => (
        <Link
          to="/workloads/$name/pull-requests/$number"
          params={{ name, number: String(it.number) }}
          data-row-link
          className="link flex min-w-0 gap-1.5"
        >
          <span className="nums shrink-0 text-faint">#{it.number}</span>
          <span className="truncate" title={it.title}>
            {it.title}
          </span>
        </Link>
      ),
    },
    {
      id: "state",
      header: "Preview",
      className: "w-36 sm:w-40",
      cell: (it) => (
        <span className="block leading-4">
          <Status look={previewLook(it)} />
          <Under pull={it} />
        </span>
      ),
    },
    {
      id: "commit",
      header: "Commit",
      className: "w-22 max-md:hidden",
      cell: (it) => <Sha commit={it.head} />,
    },
    {
      id: "branch",
      header: "Branch",
      className: "w-40 max-xl:hidden",
      cell: (it) => (
        <span className="block truncate font-mono text-xs text-muted" title={it.head_branch}>
          {it.head_branch}
        </span>
      ),
    },
    {
      id: "author",
      header: "Author",
      className: "w-32 max-lg:hidden",
      cell: (it) => (
        <span className="block truncate text-muted" title={it.author}>
          {it.author}
        </span>
      ),
    },
    {
      id: "expires",
      header: "Removed",
      right: true,
      className: "w-26 max-lg:hidden",
      cell: (it) => (
        <span className="text-muted">
          <Ago at={hasPreview(it) ? it.preview.expires_at : null} />
        </span>
      ),
    },
    {
      id: "open",
      header: "Open",
      right: true,
      quiet: true,
      className: "w-22 max-sm:hidden",
      cell: (it) => <Open pull={it} />,
    },
  ];
}

/** Under the state: what a glance would else miss. */
function Under({ pull }: { pull: PullRequest }) {
  if (hasPreview(pull) && pull.preview.bad) return <BadMark bad={pull.preview.bad} />;
  const words = isBehind(pull)
    ? needsAllowing(pull)
      ? "Newer not allowed"
      : "Newer commit pushed"
    : pull.from_fork && hasPreview(pull)
      ? "From a fork"
      : null;
  return words && <span className="block truncate text-xs text-muted">{words}</span>;
}

function Open({ pull }: { pull: PullRequest }) {
  const url = hasPreview(pull) ? safeHref(pull.preview.url) : null;
  if (!url) return null;
  return (
    <a
      href={url}
      target="_blank"
      rel="noreferrer"
      title={url}
      className="link inline-flex items-center gap-1 text-accent-text!"
    >
      <ExternalLink className="size-3.5" aria-hidden />
      Open<span className="sr-only"> the preview of pull request {pull.number}</span>
    </a>
  );
}
