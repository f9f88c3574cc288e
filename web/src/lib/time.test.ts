import { describe, expect, it } from "vitest";
import { age, duration, elapsedMs, relative } from "./time";

const NOW = Date.parse("2026-03-10T12:00:00Z");
const ago = (seconds: number) => NOW - seconds * 1_000;

describe("relative", () => {
  it.each([
    [0, "just now"],
    [9, "just now"],
    [10, "10 s ago"],
    [59, "59 s ago"],
    [60, "1 min ago"],
    [3_599, "59 min ago"],
    [3_600, "1 h ago"],
    [86_399, "23 h ago"],
    [86_400, "yesterday"],
    [2 * 86_400, "2 days ago"],
  ])("%i seconds ago is %s", (seconds, words) => {
    expect(relative(ago(seconds), NOW)).toBe(words);
  });

  it("names the year only of other years", () => {
    expect(relative("2026-01-02T12:00:00Z", NOW)).toBe("2 Jan");
    expect(relative("2024-01-02T12:00:00Z", NOW)).toBe("2 Jan 2024");
  });

  it("forgives clocks that differ a little", () => {
    expect(relative(NOW + 5_000, NOW)).toBe("just now");
    expect(relative(NOW + 120_000, NOW)).toBe("in 2 min");
  });

  it("rounds what is to come, and names the day when it is far", () => {
    expect(relative(NOW + 40_000, NOW)).toBe("in 40 s");
    expect(relative(NOW + 7_190_000, NOW)).toBe("in 2 h");
    expect(relative(NOW + 86_000_000, NOW)).toBe("in 1 d");
    expect(relative(NOW + 30 * 86_400_000, NOW)).toBe("9 Apr");
  });
});

describe("duration", () => {
  it.each([
    [-5, "0 s"],
    [0, "0 ms"],
    [999, "999 ms"],
    [1_250, "1.2 s"],
    [9_999, "9.9 s"],
    [41_400, "41 s"],
    [185_000, "3 min 05 s"],
    [7_800_000, "2 h 10 min"],
    [90_000_000, "1 d 1 h"],
  ])("%i ms is %s", (ms, words) => {
    expect(duration(ms)).toBe(words);
  });
});

describe("age and elapsed", () => {
  it("prints ages as kubectl does", () => {
    expect([5, 300, 7_200, 200_000].map((seconds) => age(ago(seconds), NOW))).toEqual([
      "5s",
      "5m",
      "2h",
      "2d",
    ]);
  });

  it("has not elapsed before it began, and stops at its end", () => {
    expect(elapsedMs(null, null, NOW)).toBeNull();
    expect(elapsedMs("2026-03-10T11:59:00Z", null, NOW)).toBe(60_000);
    expect(elapsedMs("2026-03-10T11:59:00Z", "2026-03-10T11:59:10Z", NOW)).toBe(10_000);
  });
});
