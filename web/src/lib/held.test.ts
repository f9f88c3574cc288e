import { describe, expect, it } from "vitest";
import type { ApprovalRule, ApprovalState, HeldDeploy } from "@/api/types";
import { mkDeploy } from "@/test/make";
import { heldNow, whyNotApprove } from "./held";
import { deployHeadline, deployTone } from "./status";

const mkApprovals = (own: Partial<ApprovalState> = {}): ApprovalState => ({
  given: [],
  needed: 2,
  people: [],
  role: null,
  ...own,
});
const held: HeldDeploy = { rule: "approval", message: "2 others must approve it" };
const byBob = { by: "bob", at: "2026-01-01T10:00:00Z" };

describe("a deploy that is held", () => {
  it("says so in its headline, and waits", () => {
    const deploy = mkDeploy({ state: "queued", held });
    expect(heldNow(deploy)).toBe(held);
    expect(deployHeadline(deploy)).toBe("Waits for approval");
    expect(deployTone(deploy)).toBe("waiting");
  });

  it("is held no more when it has ended", () => {
    const deploy = mkDeploy({ state: "canceled", held });
    expect(heldNow(deploy)).toBeNull();
    expect(deployHeadline(deploy)).toBe("Deploy canceled");
  });
});

describe("whyNotApprove", () => {
  const deploy = mkDeploy({ requested_by: "ada" });
  const as = (name: string, approvals = mkApprovals()) =>
    whyNotApprove(deploy, approvals, { name, role: "owner" });

  it("is for others than who asked, once each", () => {
    expect(as("ada")).toMatch(/others/);
    expect(as("bob", mkApprovals({ people: ["bob"] }))).toBeNull();
    expect(as("bob", mkApprovals({ given: [byBob] }))).toBe("You have approved it.");
  });

  it("is for those who are named", () => {
    expect(as("bob", mkApprovals({ people: ["eve"] }))).toMatch(/not one of those/);
    expect(as("eve", mkApprovals({ people: ["eve"] }))).toBeNull();
    expect(as("bob", mkApprovals({ role: "owner" }))).toBeNull();
    expect(as("bob", mkApprovals({ role: "viewer" }))).toMatch(/the role viewer/);
    expect(as("bob", mkApprovals({ people: [] }))).toMatch(/not one of those/);
  });

  it("is for those whom any of the rules names, not only the one that is told of", () => {
    const told = mkApprovals({ needed: 1, people: ["ada"] });
    const why = (rules: (ApprovalRule | null)[], kind: "regular" | "rollback" = "regular") => {
      const asked = mkDeploy({ requested_by: "eve", kind });
      return whyNotApprove(asked, told, { name: "bob", role: "owner" }, rules);
    };
    const ofAda: ApprovalRule = { count: 1, people: ["ada"] };
    const ofBob: ApprovalRule = { count: 1, people: ["bob"] };
    expect(why([ofAda, null])).toMatch(/not one of those/);
    expect(why([ofAda, ofBob])).toBeNull();
    expect(why([ofAda, { count: 1, role: "owner" }])).toBeNull();
    // Rollbacks are under those rules only that say so.
    expect(why([ofAda, ofBob], "rollback")).toMatch(/not one of those/);
    expect(why([ofAda, { ...ofBob, rollback_needs_approval: true }], "rollback")).toBeNull();
  });
});
