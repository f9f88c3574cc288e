import { describe, expect, it } from "vitest";
import { fieldTime, instantOf, readWhen } from "./when";

const EARLY = "2026-01-01T10:00:00.000Z";
const LATE = "2026-01-01T11:00:00.000Z";

describe("instantOf", () => {
  it("takes the field's own clock, and any zone", () => {
    expect(instantOf("2026-01-01T12:00:00+02:00")).toBe(EARLY);
    expect(instantOf("2026-01-01T10:00")).toBe(new Date(2026, 0, 1, 10).toISOString());
  });

  it("takes nothing else", () => {
    for (const text of [
      "",
      "7",
      "2026",
      "yesterday",
      "2026-13-01T10:00",
      "2026-01-01T10:00 01:00",
    ]) {
      expect(instantOf(text)).toBeNull();
    }
  });
});

describe("fieldTime", () => {
  it("comes back as the same instant", () => {
    for (const text of ["2026-01-01T10:00", "2026-12-31T23:59:30", "0002-01-01T00:00"]) {
      expect(fieldTime(instantOf(text) ?? "")).toBe(text);
    }
  });

  it("is empty where there is no time", () => {
    expect(fieldTime(undefined)).toBe("");
    expect(fieldTime("soon")).toBe("");
  });
});

describe("readWhen", () => {
  const fine = { since: null, until: null };

  it("asks for what is there", () => {
    expect(readWhen({})).toEqual({ asked: {}, wrong: fine });
    expect(readWhen({ since: EARLY })).toEqual({ asked: { since: EARLY }, wrong: fine });
    expect(readWhen({ since: EARLY, until: LATE })).toEqual({
      asked: { since: EARLY, until: LATE },
      wrong: fine,
    });
  });

  it("asks for nothing between times that are reversed, the same, or none", () => {
    const reversed = { since: null, until: "This must be later than From" };
    expect(readWhen({ since: LATE, until: EARLY })).toEqual({ asked: {}, wrong: reversed });
    expect(readWhen({ since: EARLY, until: EARLY })).toEqual({ asked: {}, wrong: reversed });
    const none = { since: "This is no day and time", until: null };
    expect(readWhen({ since: "soon", until: LATE })).toEqual({ asked: {}, wrong: none });
  });
});
