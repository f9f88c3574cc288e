import { expect, it } from "vitest";
import { freezeLook, holding } from "./freezes";

const at = (time: string) => Date.parse(`2026-01-01T${time}:00Z`);

it("is ahead, holds, and is over", () => {
  const freeze = { from: "2026-01-01T10:00:00Z", until: "2026-01-01T12:00:00Z" };
  expect(freezeLook(freeze, at("09:00")).word).toBe("Ahead");
  expect(freezeLook(freeze, at("11:00")).word).toBe("Holds");
  expect(freezeLook(freeze, at("12:00")).word).toBe("Over");
  expect(freezeLook({ ...freeze, ended_at: freeze.from }, at("11:00")).word).toBe("Over");
  expect(freezeLook({ from: freeze.from }, at("23:00")).word).toBe("Holds");
});

it("holds what no exception lets through", () => {
  const created = { reason: "the holidays", by: "ada", created_at: "2026-01-01T09:00:00Z" };
  const one = {
    workload: "hello",
    deploy_id: 7,
    reason: "a fix",
    by: "ada",
    at: created.created_at,
  };
  const freeze = { id: 1, from: "2026-01-01T10:00:00Z", ...created, exceptions: [one] };
  const all = { ...freeze, id: 2, exceptions: [{ ...one, deploy_id: null }] };
  const ids = (workload: string, deploy: number | null, time = "11:00") =>
    holding([freeze, all], workload, deploy, at(time)).map((it) => it.id);
  expect(ids("hello", null)).toEqual([1]);
  expect(ids("hello", 7)).toEqual([]);
  expect(ids("hello", 8)).toEqual([1]);
  expect(ids("demo", 7)).toEqual([1, 2]);
  expect(ids("demo", 7, "09:00")).toEqual([]);
});
