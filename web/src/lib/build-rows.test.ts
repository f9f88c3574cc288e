import { describe, expect, it } from "vitest";
import type { BuildStep, LogLine } from "@/api/types";
import { countRows, groupSteps, rowAt } from "./build-rows";

const step = (number: number): BuildStep => ({
  number,
  name: `step ${number}`,
  state: "succeeded",
  started_at: null,
  finished_at: null,
});
const line = (seq: number, of: number): LogLine => ({ seq, at: "", step: of, text: `line ${seq}` });

const lines = new Map([
  [0, [line(1, 0)]],
  [2, [line(2, 2), line(3, 2)]],
]);

/** Every row as a word. */
function rows(open: (number: number) => boolean) {
  const groups = groupSteps([step(2), step(1)], lines, (it) => open(it.number));
  return Array.from({ length: countRows(groups) }, (_, index) => {
    const row = rowAt(groups, index);
    if (row === null) return "nothing";
    return row.kind === "step" ? row.rows.step.name : `${row.line.text} (${row.number})`;
  });
}

describe("rows of a build's log", () => {
  it("puts each line under its step, Hermez' own words first", () => {
    expect(rows(() => true)).toEqual([
      "Hermez",
      "line 1 (1)",
      "step 1",
      "step 2",
      "line 2 (1)",
      "line 3 (2)",
    ]);
  });

  it("leaves out the lines of closed steps", () => {
    expect(rows((number) => number === 2)).toEqual([
      "Hermez",
      "step 1",
      "step 2",
      "line 2 (1)",
      "line 3 (2)",
    ]);
  });

  it("has no row after the last", () => {
    expect(
      rowAt(
        groupSteps([step(1)], new Map(), () => true),
        1,
      ),
    ).toBeNull();
  });
});
