import { describe, expect, it } from "vitest";
import { mkCommit, mkSha } from "@/test/make";
import { changeBetween } from "./commits";

const list = ["d", "c", "b", "a"].map((digits) => mkCommit(digits));

/** The direction, and the first digits of the commits between. */
function seen(current: string | null, target: string) {
  const change = changeBetween(list, current === null ? null : mkSha(current), mkSha(target));
  const between = "between" in change ? change.between.map((commit) => commit.id[0]) : [];
  return [change.direction, between.join("")];
}

describe("changeBetween", () => {
  it("lists what comes in, the target's own commit first", () => {
    expect(seen("a", "d")).toEqual(["forward", "dcb"]);
  });

  it("lists what goes out when it goes back", () => {
    expect(seen("d", "b")).toEqual(["back", "dc"]);
  });

  it("knows the first deploy, the same commit, and what the list does not hold", () => {
    expect(seen(null, "a")).toEqual(["first", ""]);
    expect(seen("b", "b")).toEqual(["same", ""]);
    expect(seen("f", "a")).toEqual(["unknown", ""]);
    expect(seen("a", "f")).toEqual(["unknown", ""]);
  });
});
