/** What a deploy waits for, and who may let it go on. */
import type { ApprovalRule, ApprovalState, DeploySummary, HeldDeploy, Me } from "@/api/types";
import { isDeployActive } from "./status";

/** What holds it now; nothing that has ended is held. */
export const heldNow = (deploy: Pick<DeploySummary, "state" | "held">): HeldDeploy | null =>
  deploy.held && isDeployActive(deploy.state) ? deploy.held : null;

/**
 * Pure: why this person's approval would not count; null where it would, as far as is known here.
 * The workload and its project may each have a rule; `approvals` tells of one, `rules` of both.
 */
export function whyNotApprove(
  deploy: Pick<DeploySummary, "requested_by" | "kind">,
  approvals: ApprovalState,
  me: Pick<Me, "name" | "role">,
  rules: (ApprovalRule | null | undefined)[] = [],
): string | null {
  if (deploy.requested_by === me.name) return "You asked for it, so others approve it.";
  if (approvals.given.some((it) => it.by === me.name)) return "You have approved it.";
  const wanted = rules.some(
    (rule) =>
      rule &&
      (deploy.kind !== "rollback" || rule.rollback_needs_approval) &&
      (rule.role === me.role || rule.people?.includes(me.name)),
  );
  if (wanted) return null;
  const { role, people } = approvals;
  if (role) {
    return me.role === role
      ? null
      : `Whoever has the role ${role} may approve it; yours is ${me.role}.`;
  }
  return people.includes(me.name) ? null : "You are not one of those who may approve it.";
}
