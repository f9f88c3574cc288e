import { expect, it } from "vitest";
import { pickOrder } from "./hotfix";

it("picks the oldest first, however they were chosen", () => {
  const listed = [{ id: "c" }, { id: "b" }, { id: "a" }];
  expect(pickOrder(listed, new Set(["c", "a"]))).toEqual(["a", "c"]);
  expect(pickOrder(listed, new Set(["x"]))).toEqual([]);
});
