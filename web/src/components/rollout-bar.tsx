import { clsx } from "clsx";
import { countWords, type PodCounts, type PodPart } from "@/lib/rollout";

const FILL: Record<PodPart, string> = {
  ready: "bg-ok-fill",
  starting: "bg-progress-fill motion-safe:animate-pulse",
  failing: "bg-failed-fill",
  old: "bg-unknown-fill",
  missing: "bg-track",
};

const ORDER: PodPart[] = ["ready", "starting", "failing", "missing", "old"];

/** Up to this many pods each have a cell of their own. */
const CELLS = 48;

/** A rollout as one bar of pods: new ready, new starting, failing, old. */
export function RolloutBar({ counts, className }: { counts: PodCounts; className?: string }) {
  const total = ORDER.reduce((sum, part) => sum + counts[part], 0);
  return (
    <div
      role="img"
      aria-label={countWords(counts)}
      className={clsx("flex h-2 w-full gap-px overflow-hidden rounded-full", className)}
    >
      {total === 0 && <span className="flex-1 bg-track" />}
      {ORDER.flatMap((part) => (total <= CELLS ? cells(part, counts[part]) : share(part, counts)))}
    </div>
  );
}

function cells(part: PodPart, count: number) {
  return Array.from({ length: count }, (_, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: cells of one part are all alike
    <span key={`${part}-${index}`} className={clsx("min-w-0.5 flex-1", FILL[part])} />
  ));
}

function share(part: PodPart, counts: PodCounts) {
  if (counts[part] === 0) return [];
  return [
    <span
      key={part}
      className={clsx("min-w-1", FILL[part])}
      style={{ flexGrow: counts[part], flexBasis: 0 }}
    />,
  ];
}
