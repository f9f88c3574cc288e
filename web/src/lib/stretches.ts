/** The road of one deploy as stretches of time, each with what happened in it. */
import type { DeployEvent, DeployState } from "@/api/types";
import { isDeployActive } from "./status";

export interface Stretch {
  state: DeployState;
  startedAt: string;
  /** Null while it goes on. */
  finishedAt: string | null;
  how: "done" | "active" | "failed" | "stopped";
  /** Oldest first; what became of pods stands in `pods`. */
  events: DeployEvent[];
  pods: PodTrail[];
}

/** What became of one pod, oldest first. */
export interface PodTrail {
  name: string;
  isNew: boolean;
  steps: PodStep[];
}

export interface PodStep {
  seq: number;
  at: string;
  change: string;
  /** What the server says of it, without the pod's name. */
  words: string;
}

export interface Road {
  stretches: Stretch[];
  /** How it ended; empty while it goes on. */
  end: DeployEvent[];
  /** What is still to come, whatever happens. */
  ahead: DeployState[];
}

export const STRETCH: Record<DeployState, string> = {
  pending: "Asked for",
  building: "Build",
  queued: "Queue",
  canary: "Canary",
  applying: "Apply",
  rolling_out: "Roll out",
  verifying: "Verify",
  succeeded: "Finished",
  failed: "Failed",
  canceled: "Canceled",
  superseded: "Superseded",
};

const ORDER: DeployState[] = ["pending", "building", "queued", "canary", "applying", "rolling_out"];
const ALWAYS: DeployState[] = ["applying", "rolling_out"];

/** Pure: the stretches of a timeline. A state that comes again is a stretch of its own. */
export function roadOf(
  state: DeployState,
  timeline: DeployEvent[],
  finishedAt: string | null = null,
): Road {
  const stretches: Stretch[] = [];
  const end: DeployEvent[] = [];
  for (const event of timeline) {
    const last = stretches.at(-1);
    if (end.length > 0 || !isDeployActive(event.state)) {
      if (last?.finishedAt === null) last.finishedAt = event.at;
      end.push(event);
    } else if (last?.state === event.state) {
      put(last, event);
    } else {
      if (last) last.finishedAt = event.at;
      const next: Stretch = {
        state: event.state,
        startedAt: event.at,
        finishedAt: null,
        how: "done",
        events: [],
        pods: [],
      };
      put(next, event);
      stretches.push(next);
    }
  }
  const last = stretches.at(-1);
  const active = isDeployActive(state);
  if (last && active) last.how = "active";
  if (last && !active) {
    // The news of its end may come before the entry that says so.
    last.finishedAt ??= finishedAt ?? timeline.at(-1)?.at ?? last.startedAt;
    if (state !== "succeeded") last.how = state === "failed" ? "failed" : "stopped";
  }
  const reached = ORDER.indexOf(last?.state ?? "pending");
  const ahead = active && reached >= 0 ? ALWAYS.filter((it) => ORDER.indexOf(it) > reached) : [];
  return { stretches, end, ahead };
}

function put(stretch: Stretch, event: DeployEvent) {
  const { pod } = event;
  if (!pod) {
    stretch.events.push(event);
    return;
  }
  const step = {
    seq: event.seq,
    at: event.at,
    change: pod.change,
    words: withoutName(event.message, pod.name),
  };
  // A stateful set's new pod has the name of the old one.
  const isNew = pod.version !== "old";
  const known = stretch.pods.find((it) => it.name === pod.name && it.isNew === isNew);
  if (known) known.steps.push(step);
  else stretch.pods.push({ name: pod.name, isNew, steps: [step] });
}

/** "pod hello-1 (new) is ready" under the pod's name is "is ready". */
function withoutName(message: string, name: string): string {
  const at = message.indexOf(name);
  if (at < 0) return message;
  return (
    message
      .slice(at + name.length)
      .replace(/^\s*\((?:new|old)\)/, "")
      .trim() || message
  );
}

/** Where a stretch lies in the whole, in percent; never too narrow to be seen. */
export function placeOf(
  stretch: Pick<Stretch, "startedAt" | "finishedAt">,
  begin: number,
  end: number,
): { left: number; width: number } {
  const whole = Math.max(1, end - begin);
  const from = Math.min(whole, Math.max(0, Date.parse(stretch.startedAt) - begin));
  const until = stretch.finishedAt ? Date.parse(stretch.finishedAt) - begin : whole;
  const width = Math.max(0, Math.min(whole, until) - from);
  const percent = (part: number) => (part / whole) * 100;
  const shown = Math.max(0.6, percent(width));
  return { left: Math.min(percent(from), 100 - shown), width: shown };
}
