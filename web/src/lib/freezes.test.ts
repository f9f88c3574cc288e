import { expect, it } from "vitest";
import { freezeLook } from "./freezes";

const at = (time: string) => Date.parse(`2026-01-01T${time}:00Z`);

it("is ahead, holds, and is over", () => {
  const freeze = { from: "2026-01-01T10:00:00Z", until: "2026-01-01T12:00:00Z" };
  expect(freezeLook(freeze, at("09:00")).word).toBe("Ahead");
  expect(freezeLook(freeze, at("11:00")).word).toBe("Holds");
  expect(freezeLook(freeze, at("12:00")).word).toBe("Over");
  expect(freezeLook({ ...freeze, ended_at: freeze.from }, at("11:00")).word).toBe("Over");
  expect(freezeLook({ from: freeze.from }, at("23:00")).word).toBe("Holds");
});
