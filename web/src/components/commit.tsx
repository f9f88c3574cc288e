import { clsx } from "clsx";
import { shortSha } from "@/lib/format";

/** `95f6178`: the first seven digits, whole on hover. */
export function Sha({ commit, className }: { commit: string; className?: string }) {
  return (
    <code title={commit} className={clsx("shrink-0 font-mono text-xs text-muted", className)}>
      {shortSha(commit)}
    </code>
  );
}

/** `95f6178` and the first line of the message. */
export function CommitLine({ commit, title }: { commit: string; title: string }) {
  return (
    <span className="flex min-w-0 items-baseline gap-2">
      <Sha commit={commit} />
      <span className="truncate" title={title}>
        {title}
      </span>
    </span>
  );
}
