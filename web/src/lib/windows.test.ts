import { describe, expect, it } from "vitest";
import { isTimeZone, parseWindows, windowsText } from "./windows";

describe("windows", () => {
  it("are read as they are written", () => {
    for (const text of [
      "Mon-Fri 09:00-17:00",
      "Mon-Thu 08:00-18:00; Fri 08:00-12:00",
      "Mon,Wed,Fri-Sun 22:00-02:00",
    ]) {
      const windows = parseWindows(text);
      expect(windows && windowsText(windows)).toBe(text);
    }
  });

  it("may go over the end of the week", () => {
    expect(parseWindows("sat-mon 00:00-24:00")?.[0]?.days).toEqual(["mon", "sat", "sun"]);
  });

  it("are refused where they cannot be read", () => {
    for (const text of ["", "Mon", "Mon 9-17", "Foo 09:00-17:00", "Mon-Tue-Wed 09:00-17:00"]) {
      expect(parseWindows(text)).toBeNull();
    }
  });
});

it("knows a time zone by its name", () => {
  for (const zone of ["Europe/Berlin", "UTC"]) expect(isTimeZone(zone), zone).toBe(true);
  for (const zone of ["Mars/Base", "", "+01:00"]) expect(isTimeZone(zone), zone).toBe(false);
});
