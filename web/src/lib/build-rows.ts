/** A build's log as rows: each step's head, and under it what the step wrote. Pure. */
import type { BuildStep, LogLine } from "@/api/types";

/** Step 0 is Hermez itself. */
export const OWN_STEP = 0;

export interface StepRows {
  step: BuildStep;
  lines: LogLine[];
  open: boolean;
}

export type Row =
  | { kind: "step"; rows: StepRows }
  | { kind: "line"; line: LogLine; number: number };

const OWN: BuildStep = {
  number: OWN_STEP,
  name: "Hermez",
  state: "",
  started_at: null,
  finished_at: null,
};

/** The steps in order with their lines; a step that only lines tell of is made up. */
export function groupSteps(
  steps: BuildStep[],
  linesOf: ReadonlyMap<number, LogLine[]>,
  isOpen: (step: BuildStep) => boolean,
): StepRows[] {
  const known = new Map(steps.map((step) => [step.number, step]));
  for (const number of linesOf.keys()) {
    if (!known.has(number)) {
      known.set(number, number === OWN_STEP ? OWN : { ...OWN, number, name: `Step ${number}` });
    }
  }
  return [...known.values()]
    .sort((a, b) => a.number - b.number)
    .map((step) => ({ step, lines: linesOf.get(step.number) ?? [], open: isOpen(step) }));
}

export function countRows(groups: StepRows[]): number {
  return groups.reduce((sum, group) => sum + 1 + (group.open ? group.lines.length : 0), 0);
}

/** The row of this index, without making all of them. */
export function rowAt(groups: StepRows[], index: number): Row | null {
  let rest = index;
  for (const rows of groups) {
    if (rest === 0) return { kind: "step", rows };
    rest -= 1;
    if (!rows.open) continue;
    const line = rows.lines[rest];
    if (line !== undefined) return { kind: "line", line, number: rest + 1 };
    rest -= rows.lines.length;
  }
  return null;
}

/** Where a step's head stands. */
export function indexOfStep(groups: StepRows[], number: number): number {
  let index = 0;
  for (const group of groups) {
    if (group.step.number === number) return index;
    index += 1 + (group.open ? group.lines.length : 0);
  }
  return -1;
}
