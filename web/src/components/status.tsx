import { clsx } from "clsx";
import { Circle, CircleCheck, CircleDashed, CircleX, Clock, LoaderCircle } from "lucide-react";
import type { DeployState, Health } from "@/api/types";
import { DEPLOY, HEALTH, type Look, type Tone } from "@/lib/status";

const ICONS = {
  ok: CircleCheck,
  progress: LoaderCircle,
  waiting: Clock,
  failed: CircleX,
  unknown: CircleDashed,
} as const;

export const TONE_TEXT: Record<Tone, string> = {
  ok: "text-ok",
  progress: "text-progress",
  waiting: "text-waiting",
  failed: "text-failed",
  unknown: "text-unknown",
};

export const TONE_FILL: Record<Tone, string> = {
  ok: "bg-ok-fill",
  progress: "bg-progress-fill",
  waiting: "bg-waiting-fill",
  failed: "bg-failed-fill",
  unknown: "bg-unknown-fill",
};

export function StatusIcon({ tone, className }: { tone: Tone; className?: string }) {
  const Icon = ICONS[tone];
  return (
    <Icon
      aria-hidden
      className={clsx(
        "size-4 shrink-0",
        TONE_TEXT[tone],
        tone === "progress" && "motion-safe:animate-spin",
        className,
      )}
    />
  );
}

/** Icon and word; never a colour alone. */
export function Status({ look, className }: { look: Look; className?: string }) {
  return (
    <span className={clsx("flex min-w-0 items-center gap-1.5", className)}>
      <StatusIcon tone={look.tone} />
      <span className={clsx("truncate", TONE_TEXT[look.tone])}>{look.word}</span>
    </span>
  );
}

export const DeployStatus = ({ state }: { state: DeployState }) => <Status look={DEPLOY[state]} />;

/** A workload's health: a dot with its word. */
export function HealthMark({ health, title }: { health: Health; title?: string }) {
  const look = HEALTH[health];
  return (
    <span className="flex items-center gap-1.5 whitespace-nowrap" title={title}>
      <HealthDot health={health} />
      <span className={TONE_TEXT[look.tone]}>{look.word}</span>
    </span>
  );
}

export function HealthDot({ health }: { health: Health }) {
  const tone = HEALTH[health].tone;
  if (health === "not_deployed" || health === "unknown") {
    return <Circle className="size-2 shrink-0 text-unknown" strokeWidth={4} aria-hidden />;
  }
  return <span className={clsx("size-2 shrink-0 rounded-full", TONE_FILL[tone])} aria-hidden />;
}
