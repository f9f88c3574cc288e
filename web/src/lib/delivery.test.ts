import { describe, expect, it } from "vitest";
import type { DeliveryPerformance } from "@/api/types";
import { figuresOf, frequencyWords, weekWords } from "./delivery";

const mk = (own: Partial<DeliveryPerformance> = {}): DeliveryPerformance => ({
  since: "2026-01-01T00:00:00Z",
  until: "2026-01-31T00:00:00Z",
  enough: 3,
  complete: true,
  deployment_frequency: { deploys: 22, per_week: 5.13 },
  lead_time: { changes: 20, unknown: 0, median_ms: 900_000, p90_ms: 7_800_000 },
  change_failure_rate: { deploys: 24, failed: 3, rate: 0.125 },
  time_to_restore: { incidents: 3, open: 0, median_ms: 185_000 },
  weeks: [],
  ...own,
});
const seen = (own?: Partial<DeliveryPerformance>) =>
  figuresOf(mk(own)).map((it) => `${it.value ?? "–"} | ${it.made}`);

describe("figuresOf", () => {
  it("says each with the cases behind it", () => {
    expect(seen()).toEqual([
      "5.1 a week | 22 deploys",
      "15 min 00 s | median of 20 commits; p90 2 h 10 min",
      "12.5 % | 3 of 24 deploys",
      "3 min 05 s | median of 3 times",
    ]);
  });

  it("has no figure where there are too few cases, and says how many there are", () => {
    const few = {
      deployment_frequency: { deploys: 1, per_week: null },
      lead_time: { changes: 1, unknown: 4, median_ms: null, p90_ms: null },
      change_failure_rate: { deploys: 2, failed: 1, rate: null },
      time_to_restore: { incidents: 0, open: 0, median_ms: null },
    };
    expect(seen(few)).toEqual([
      "– | too early to say: 1 deploy in its first week",
      "– | too few to say: 1 of at least 3; 4 more of unknown time",
      "– | too few to say: 2 of at least 3",
      "– | nothing had to be restored",
    ]);
  });

  it("points at what is not restored yet", () => {
    const restore = { incidents: 0, open: 1, median_ms: null };
    expect(figuresOf(mk({ time_to_restore: restore })).at(-1)?.trouble).toBe("1 not restored yet");
  });
});

it("says how often by the nearest span", () => {
  expect(frequencyWords(21)).toBe("3 a day");
  expect(frequencyWords(5.13)).toBe("5.1 a week");
  expect(frequencyWords(0.5)).toBe("2.2 a month");
  expect(frequencyWords(0)).toBe("0 a week");
});

it("says what a bar stands for", () => {
  const week = { begins: "2026-11-23T00:00:00Z", deploys: 5, failed: 1, rollbacks: 1 };
  expect(weekWords(week)).toBe("Week of 23 Nov: 5 deploys, 1 went wrong, 1 rollback");
  expect(weekWords({ ...week, failed: 0, rollbacks: 0 })).toBe("Week of 23 Nov: 5 deploys");
});
