import { expect, it } from "vitest";
import { checkWords, gateWords, limitText, parseLimit } from "./gates";

const check = { name: "errors", query: "up", comparison: "<=" } as const;

it("reads limits as they are written", () => {
  expect(parseLimit("0.5")).toEqual({ threshold: 0.5 });
  expect(parseLimit(" 120 % ")).toEqual({ relative_to_old_percent: 120 });
  for (const text of ["", "x", "1e3", "%"]) expect(parseLimit(text)).toBeNull();
  expect(limitText({ ...check, threshold: 0.5 })).toBe("0.5");
  expect(limitText({ ...check, relative_to_old_percent: 120 })).toBe("120%");
});

it("says what must be true", () => {
  expect(checkWords({ ...check, relative_to_old_percent: 120, for_seconds: 60 })).toBe(
    "<= 120% of the old version's for 60 s",
  );
  expect(gateWords({ ready_seconds: 30, max_restarts: 0, auto_rollback: true })).toEqual([
    "All pods stay ready for 30 s",
    "No restarts",
    "A deploy that fails is rolled back by itself",
  ]);
  expect(gateWords({ ready_seconds: 5, is_default: true })).toEqual([
    "All pods stay ready for 5 s, where a container has no readiness probe",
  ]);
  expect(gateWords({})).toEqual([]);
});
