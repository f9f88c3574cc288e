import { describe, expect, it } from "vitest";
import { endOf, parseSpan } from "./span";

const NOW = Date.parse("2026-01-01T10:00:00Z");

describe("parseSpan", () => {
  it("reads minutes, hours and days, together too", () => {
    expect(parseSpan("30m")).toBe(1_800_000);
    expect(parseSpan(" 2h ")).toBe(7_200_000);
    expect(parseSpan("1d 12h")).toBe(129_600_000);
    expect(parseSpan("1h30m")).toBe(5_400_000);
    expect(parseSpan("2 hours")).toBe(7_200_000);
  });

  it("takes nothing else", () => {
    for (const text of ["", "2", "h", "0h", "-1h", "2y", "1h x", "9999999h"]) {
      expect(parseSpan(text)).toBeNull();
    }
  });
});

describe("endOf", () => {
  it("has no end, one after a time, or one at a time", () => {
    expect(endOf({ kind: "open", text: "2h" }, NOW)).toEqual({ until: null });
    expect(endOf({ kind: "for", text: "2h" }, NOW)).toEqual({ until: "2026-01-01T12:00:00.000Z" });
    expect(endOf({ kind: "until", text: "2026-01-01T11:00:00Z" }, NOW)).toEqual({
      until: "2026-01-01T11:00:00.000Z",
    });
  });

  it("says what is wrong", () => {
    expect(endOf({ kind: "for", text: "soon" }, NOW)).toHaveProperty("wrong");
    expect(endOf({ kind: "until", text: "" }, NOW)).toHaveProperty("wrong");
    expect(endOf({ kind: "until", text: "2026-01-01T09:00:00Z" }, NOW)).toEqual({
      wrong: "This is over already",
    });
  });
});
