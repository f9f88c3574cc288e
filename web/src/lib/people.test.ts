import { expect, test } from "vitest";
import type { ApiToken } from "@/api/types";
import { roleWord, seesPeople, tokensByOwner, wrongName } from "./people";

const mkToken = (owner: string, own: Partial<ApiToken> = {}): ApiToken => ({
  id: `${owner}-1`,
  name: "ci",
  owner,
  created_at: "2026-01-01T10:00:00Z",
  ...own,
});

test("only valid tokens are counted, and the newest use of any is told", () => {
  const of = tokensByOwner([
    mkToken("ada", { last_used_at: "2026-01-02T10:00:00Z" }),
    mkToken("ada", { revoked_at: "2026-01-04T10:00:00Z", last_used_at: "2026-01-03T10:00:00Z" }),
    mkToken("bob"),
  ]);
  expect(of.get("ada")).toEqual({ valid: 1, usedAt: "2026-01-03T10:00:00Z" });
  expect(of.get("bob")).toEqual({ valid: 1, usedAt: null });
  expect(of.get("eve")).toBeUndefined();
});

test("a name is judged as the server does it, but not before there is one", () => {
  for (const name of ["", "ada", "ada.lovelace", "ci-2", "a".repeat(63)]) {
    expect(wrongName(name), name).toBeNull();
  }
  for (const name of ["Ada", "2nd", "a b", "a/b", "a".repeat(64)]) {
    expect(wrongName(name), name).not.toBeNull();
  }
});

test("owners see people; a role that is not known is shown as it is", () => {
  expect(seesPeople({ role: "owner" })).toBe(true);
  expect(seesPeople({ role: "viewer" })).toBe(false);
  expect(seesPeople(undefined)).toBe(false);
  expect(roleWord("owner")).toBe("Owner");
  expect(roleWord("deployer")).toBe("deployer");
});
