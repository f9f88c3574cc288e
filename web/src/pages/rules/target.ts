/** What a rule is set for: one workload, or all of a project. */
import { api } from "@/api/client";
import type { ApprovalRule, DeployWindows } from "@/api/types";

export interface RuleTarget {
  /** As titles name it: "hello", "project demo". */
  title: string;
  setWindows: (windows: DeployWindows) => Promise<unknown>;
  clearWindows: () => Promise<unknown>;
  setApprovals: (rule: ApprovalRule) => Promise<unknown>;
  clearApprovals: () => Promise<unknown>;
}

export const ofWorkload = (name: string): RuleTarget => ({
  title: name,
  setWindows: (windows) => api.setWindows(name, windows),
  clearWindows: () => api.clearWindows(name),
  setApprovals: (rule) => api.setApprovals(name, rule),
  clearApprovals: () => api.clearApprovals(name),
});

export const ofProject = (project: string): RuleTarget => ({
  title: `project ${project}`,
  setWindows: (windows) => api.setProjectWindows(project, windows),
  clearWindows: () => api.clearProjectWindows(project),
  setApprovals: (rule) => api.setProjectApprovals(project, rule),
  clearApprovals: () => api.clearProjectApprovals(project),
});
