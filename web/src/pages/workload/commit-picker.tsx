import { clsx } from "clsx";
import { useId, useMemo, useState } from "react";
import type { Commit } from "@/api/types";
import { Button } from "@/components/button";
import { Sha } from "@/components/commit";
import { SearchField } from "@/components/field";
import { Status } from "@/components/status";
import { Ago } from "@/components/time";
import { shortSha } from "@/lib/format";
import { ARTIFACT } from "@/lib/status";

interface Props {
  commits: Commit[];
  chosen: Commit | undefined;
  id: string | null;
  /** Whether the list stands open at once. */
  startOpen: boolean;
  onPick: (id: string) => void;
}

const MOST = 100;

/** The chosen commit, or the list to choose from: ordinary radio buttons. */
export function CommitPicker({ commits, chosen, id, startOpen, onPick }: Props) {
  const group = useId();
  const [open, setOpen] = useState(startOpen);
  const [search, setSearch] = useState("");
  const shown = useMemo(() => findCommits(commits, search).slice(0, MOST), [commits, search]);

  if (!open) {
    return (
      <div className="flex items-center gap-3">
        <div className="min-w-0 flex-1">
          {chosen ? (
            <CommitText commit={chosen} />
          ) : (
            id !== null && <Sha commit={id} className="text-sm!" />
          )}
        </div>
        <Button onClick={() => setOpen(true)}>Choose another</Button>
      </div>
    );
  }
  return (
    <fieldset className="min-w-0" onKeyDown={keepOpen}>
      <legend className="sr-only">Commit</legend>
      <SearchField
        label="Search commits"
        placeholder="Message, author or id"
        value={search}
        onChange={setSearch}
      />
      <div className="mt-2 max-h-56 overflow-y-auto rounded-md border">
        {shown.length === 0 && <p className="px-3 py-2 text-muted">No commit has “{search}”.</p>}
        {shown.map((commit) => (
          <label
            key={commit.id}
            className={clsx(
              "flex cursor-default items-center gap-2.5 border-b px-3 py-1.5 last:border-b-0 has-focus-visible:outline-2 has-focus-visible:-outline-offset-2 has-focus-visible:outline-focus",
              commit.id === id ? "bg-selected" : "hover:bg-hover",
            )}
          >
            <input
              type="radio"
              name={group}
              value={commit.id}
              checked={commit.id === id}
              onChange={() => onPick(commit.id)}
              className="accent-accent outline-none"
              aria-label={`${shortSha(commit.id)} ${commit.title}`}
            />
            <CommitText commit={commit} />
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** Enter in the search field must not deploy what happens to be chosen. */
function keepOpen(event: React.KeyboardEvent) {
  const { target } = event;
  if (event.key === "Enter" && target instanceof HTMLInputElement && target.type === "search") {
    event.preventDefault();
  }
}

function CommitText({ commit }: { commit: Commit }) {
  return (
    <span className="flex min-w-0 flex-1 items-center gap-2.5">
      <Sha commit={commit.id} />
      <span className="min-w-0 flex-1 truncate" title={commit.title}>
        {commit.title}
      </span>
      <span className="shrink-0 text-muted max-sm:hidden">
        {commit.deployed ? (
          <Status look={{ tone: "ok", word: "Runs now" }} />
        ) : (
          commit.artifact_status !== "none" && <Status look={ARTIFACT[commit.artifact_status]} />
        )}
      </span>
      <span className="w-24 shrink-0 text-right text-faint max-sm:hidden">
        <Ago at={commit.committed_at} />
      </span>
    </span>
  );
}

export function findCommits(commits: Commit[], search: string): Commit[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return commits.filter((commit) => {
    const text = `${commit.id} ${commit.title} ${commit.author}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
