import { describe, expect, it } from "vitest";
import type { ApprovalState, HeldDeploy } from "@/api/types";
import { mkDeploy } from "@/test/make";
import { approvalWords, heldNow, whyNotApprove } from "./held";
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

describe("approvalWords", () => {
  it("says how many, by whom, and who may", () => {
    expect(approvalWords(mkApprovals({ given: [byBob], people: ["eve"] }))).toBe(
      "1 of 2 approvals, by bob; may approve: eve",
    );
    expect(approvalWords(mkApprovals({ needed: 1, role: "owner" }))).toBe(
      "0 of 1 approval; whoever has the role owner may approve",
    );
    expect(approvalWords(mkApprovals({ needed: 1, given: [byBob] }))).toBe(
      "1 of 1 approval, by bob",
    );
  });
});

describe("whyNotApprove", () => {
  const deploy = mkDeploy({ requested_by: "ada" });
  const as = (name: string, approvals = mkApprovals()) =>
    whyNotApprove(deploy, approvals, { name, role: "owner" });

  it("is for others than who asked, once each", () => {
    expect(as("ada")).toMatch(/others/);
    expect(as("bob")).toBeNull();
    expect(as("bob", mkApprovals({ given: [byBob] }))).toBe("You have approved it.");
  });

  it("is for those who are named", () => {
    expect(as("bob", mkApprovals({ people: ["eve"] }))).toMatch(/not one of those/);
    expect(as("eve", mkApprovals({ people: ["eve"] }))).toBeNull();
    expect(as("bob", mkApprovals({ role: "owner" }))).toBeNull();
    expect(as("bob", mkApprovals({ role: "viewer" }))).toMatch(/the role viewer/);
  });
});
