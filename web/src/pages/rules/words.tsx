import type { ApprovalRule, DeployWindows } from "@/api/types";
import { windowsText } from "@/lib/windows";

/** When deploys begin. */
export const Windows = ({ windows }: { windows: DeployWindows | null | undefined }) =>
  windows ? `${windowsText(windows.windows)} (${windows.time_zone})` : "at any time";

/** How many must approve, and who. */
export function Approvals({ rule }: { rule: ApprovalRule | null | undefined }) {
  if (!rule) return "none needed";
  const from = rule.role ? `whoever has the role ${rule.role}` : (rule.people ?? []).join(", ");
  return `${rule.count} from ${from}${rule.rollback_needs_approval ? ", for rollbacks too" : ""}`;
}
