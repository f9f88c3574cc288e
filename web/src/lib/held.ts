/** What a deploy waits for, and who may let it go on. */
import type { ApprovalState, DeploySummary, HeldDeploy, Me } from "@/api/types";
import { isDeployActive } from "./status";

/** What holds it now; nothing that has ended is held. */
export const heldNow = (deploy: Pick<DeploySummary, "state" | "held">): HeldDeploy | null =>
  deploy.held && isDeployActive(deploy.state) ? deploy.held : null;

/** "1 of 2 approvals, by ada; bob or eve may give the rest". */
export function approvalWords({ given, needed, people, role }: ApprovalState): string {
  const by = given.length === 0 ? "" : `, by ${given.map((it) => it.by).join(", ")}`;
  const count = `${given.length} of ${needed} ${needed === 1 ? "approval" : "approvals"}${by}`;
  if (given.length >= needed) return count;
  if (people.length > 0) return `${count}; may approve: ${people.join(", ")}`;
  return role ? `${count}; whoever has the role ${role} may approve` : count;
}

/** Pure: why this person's approval would not count; null where it would, as far as is known here. */
export function whyNotApprove(
  deploy: Pick<DeploySummary, "requested_by">,
  approvals: ApprovalState,
  me: Pick<Me, "name" | "role">,
): string | null {
  if (deploy.requested_by === me.name) return "You asked for it, so others approve it.";
  if (approvals.given.some((it) => it.by === me.name)) return "You have approved it.";
  if (approvals.people.length > 0 && !approvals.people.includes(me.name)) {
    return "You are not one of those who may approve it.";
  }
  const { role } = approvals;
  if (approvals.people.length === 0 && role && me.role !== role) {
    return `Whoever has the role ${role} may approve it; yours is ${me.role}.`;
  }
  return null;
}
