/** The road of one deploy, from its timeline: build, turn, apply, roll out, verify. */
import type { DeployEvent, DeployState } from "@/api/types";
import { isDeployActive } from "./status";

export interface Stage {
  name: "Build" | "Queue" | "Apply" | "Roll out" | "Verify";
  state: "done" | "active" | "failed" | "stopped" | "ahead" | "skipped";
  startedAt: string | null;
  finishedAt: string | null;
}

const ORDER: { name: Stage["name"]; states: DeployState[] }[] = [
  { name: "Build", states: ["building"] },
  { name: "Queue", states: ["queued"] },
  { name: "Apply", states: ["applying"] },
  { name: "Roll out", states: ["rolling_out"] },
  { name: "Verify", states: ["verifying"] },
];

/** Pure: the stages with when each began and ended. */
export function stagesOf(state: DeployState, timeline: DeployEvent[]): Stage[] {
  const end = isDeployActive(state) ? null : (timeline.at(-1)?.at ?? null);
  const stages = ORDER.map(({ name, states }): Stage => {
    const first = timeline.findIndex((event) => states.includes(event.state));
    if (first < 0) return { name, state: "ahead", startedAt: null, finishedAt: null };
    const after = timeline.findIndex(
      (event, index) => index > first && !states.includes(event.state),
    );
    const startedAt = timeline[first]?.at ?? null;
    const left = after < 0 ? end : (timeline[after]?.at ?? null);
    const here = states.includes(state) && isDeployActive(state);
    return { name, state: here ? "active" : "done", startedAt, finishedAt: here ? null : left };
  });
  return settle(stages, state).filter(shown);
}

/** Waiting for its turn is worth a word only while it matters; verifying, where gates look. */
const shown = (stage: Stage): boolean => {
  if (stage.name === "Queue") return ["active", "failed", "stopped"].includes(stage.state);
  return stage.name !== "Verify" || stage.startedAt !== null;
};

/** A deploy that ended badly did so in the last stage that it reached; those before it are done. */
function settle(stages: Stage[], state: DeployState): Stage[] {
  const reached = stages.reduce((last, stage, at) => (stage.startedAt === null ? last : at), -1);
  const ended = state === "failed" ? "failed" : "stopped";
  const bad = state === "failed" || state === "canceled" || state === "superseded";
  return stages.map((stage, at) => {
    if (bad && at === reached) return { ...stage, state: ended };
    if (stage.startedAt === null) {
      const passed = at < reached || state === "succeeded";
      return passed ? { ...stage, state: "skipped" } : stage;
    }
    return stage;
  });
}
