import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import type { Deploy, WorkloadStatus } from "@/api/types";
import { mkDeploy, mkPod } from "@/test/make";
import { Progress } from "./progress";

/** The server's own cluster: one pod that was ready long ago. */
const status: WorkloadStatus = {
  health: "healthy",
  reason: "1 of 1 pods is ready",
  pods_desired: 1,
  pods_running: 1,
  pods_ready: 1,
  pods_updated_ready: 1,
  pods_updated: 1,
  commit: null,
  url: null,
  pods: [mkPod()],
  events: [],
};

const mk = (own: Partial<Deploy>): Deploy => ({
  ...mkDeploy({ state: "rolling_out", started_at: "2026-01-01T10:00:01Z" }),
  pods_ready: 1,
  pods_desired: 3,
  images: [],
  timeline: [],
  ...own,
});

test("the cluster's own picture of the pods is shown while they change", () => {
  render(<Progress deploy={mk({})} status={status} />);
  expect(screen.getByText("1 ready")).toBeTruthy();
});

test("during waves the figures of the wave are shown, not the server's own cluster", () => {
  const waves = [
    { clusters: ["local"], bake_seconds: 0 },
    { clusters: ["east"], bake_seconds: 0 },
  ];
  render(<Progress deploy={mk({ plan: { waves, wave: 1 } })} status={status} />);
  expect(screen.getByText("1 of 3 pods ready")).toBeTruthy();
  expect(screen.queryByText("1 ready")).toBeNull();
});
