import { render, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, test, vi } from "vitest";
import type { WorkloadStatus } from "@/api/types";
import { mkDeploy, mkFullWorkload, mkSha } from "@/test/make";
import { CurrentDeploy } from "./current-deploy";

type Search = (before: object) => { rollback?: string };

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children, search }: { children: ReactNode; search?: Search }) => (
    <a href={search ? `?rollback=${search({}).rollback}` : "#"}>{children}</a>
  ),
}));

const mkStatus = (commit: string | null): WorkloadStatus => ({
  health: "healthy",
  reason: "",
  pods_desired: 1,
  pods_running: 1,
  pods_ready: 1,
  pods_updated_ready: 1,
  pods_updated: 1,
  commit,
  url: null,
  pods: [],
  events: [],
});

const good = mkDeploy({ id: 12, commit: mkSha("8b360be") });

/** The page after a deploy of `commit` has failed, when the cluster was last told to run `told`. */
function show(commit: string, told: string | null) {
  const failed = mkDeploy({ id: 13, state: "failed", commit });
  const workload = mkFullWorkload({ current: good, latest_deploy: failed });
  render(<CurrentDeploy workload={workload} status={mkStatus(told)} aside={false} />);
  return screen.queryByText(/Roll back to/);
}

test("after a failure that the cluster was told to run, one press brings back what ran well", () => {
  const back = show(mkSha("bad"), mkSha("bad"))?.closest("a");
  expect(back?.textContent).toBe("Roll back to 8b360be");
  expect(back?.getAttribute("href")).toBe("?rollback=12");
});

test("after a failure that changed nothing, what runs is not offered to be left", () => {
  expect(show(mkSha("bad"), good.commit)).toBeNull();
  expect(screen.getByText("Still runs").parentElement?.textContent).toContain("8b360be");
});

test("there is no way back to the very same version, nor while nobody knows what runs", () => {
  expect(show(good.commit, good.commit)).toBeNull();
  expect(show(mkSha("bad"), null)).toBeNull();
});
