import { useNow, useTicking } from "@/lib/clock";
import { duration, elapsedMs, exact, relative } from "@/lib/time";

/** "3 min ago", exact on hover. */
export function Ago({ at, className }: { at: string | null | undefined; className?: string }) {
  const now = useNow();
  if (!at) return <span className="text-faint">–</span>;
  return (
    <time dateTime={at} title={exact(at)} className={className ?? "whitespace-nowrap"}>
      {relative(at, now)}
    </time>
  );
}

interface TookProps {
  startedAt: string | null | undefined;
  finishedAt: string | null | undefined;
  className?: string;
}

/** How long it took; ticks while it has not ended. */
export function Took({ startedAt, finishedAt, className }: TookProps) {
  const ticking = Boolean(startedAt) && !finishedAt;
  const tick = useTicking(ticking);
  const ms = elapsedMs(startedAt, finishedAt, ticking ? Math.max(tick, Date.now()) : tick);
  return (
    <span className={className ?? "nums whitespace-nowrap"}>
      {ms === null ? "–" : ticking ? ticks(ms) : duration(ms)}
    </span>
  );
}

/** Whole seconds: tenths that stand still between two ticks would lie. */
const ticks = (ms: number): string =>
  duration(Math.max(0, Math.floor(ms / 1_000)) * 1_000).replace(/\.0 s$|^0 ms$/, (end) =>
    end === "0 ms" ? "0 s" : " s",
  );
