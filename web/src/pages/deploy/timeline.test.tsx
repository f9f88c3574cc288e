import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { expect, test, vi } from "vitest";
import type { Deploy, DeployEvent, PodChange } from "@/api/types";
import { mkDeploy, mkTimeline } from "@/test/make";
import { Timeline } from "./timeline";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children }: { children: ReactNode }) => <a href="/">{children}</a>,
}));

const mk = (own: Partial<Deploy>): Deploy => ({
  ...mkDeploy(),
  images: [],
  timeline: [],
  ...own,
});

const podEvent = (
  seq: number,
  name: string,
  change: PodChange["change"],
  says: string,
  version: PodChange["version"] = "new",
): DeployEvent => ({
  seq,
  at: "2026-01-01T10:00:02Z",
  state: "rolling_out",
  message: `pod ${name} (${version}) ${says}`,
  pod: { name, version, change },
});

test("each state stands with what happened in it, and how it ended", () => {
  const timeline = mkTimeline("pending", "building", "applying", "succeeded");
  render(<Timeline deploy={mk({ state: "succeeded", build_id: 7, timeline })} />);
  const rows = screen.getAllByText(/^(Asked for|Build|Apply|Finished)$/);
  expect(rows.map((row) => row.textContent)).toEqual([
    "Asked for, done",
    "Build",
    "Apply, done",
    "Finished",
  ]);
  expect(screen.getByRole("link", { name: "Build" })).toBeTruthy();
  expect(screen.getByText(/after 3.0 s/)).toBeTruthy();
});

test("what is still to come is named, and a failure is not told twice", () => {
  const { rerender } = render(
    <Timeline deploy={mk({ state: "building", timeline: mkTimeline("building") })} />,
  );
  expect(screen.getAllByText("not yet")).toHaveLength(2);
  const timeline = mkTimeline("rolling_out", "failed");
  rerender(<Timeline deploy={mk({ state: "failed", message: "failed", timeline })} />);
  expect(screen.getByText("Failed")).toBeTruthy();
  expect(screen.getAllByText(/failed/i)).toHaveLength(2);
  expect(screen.queryByText("not yet")).toBeNull();
});

test("pods stand in one line each, with the reason where one is in trouble", () => {
  const timeline = [
    ...mkTimeline("applying", "rolling_out"),
    podEvent(3, "hello-b-1", "scheduled", "is scheduled on node a"),
    podEvent(4, "hello-b-1", "crashed", "crashed: hello ended with exit code 255"),
    podEvent(5, "hello-a-1", "stopping", "is told to end", "old"),
    podEvent(
      6,
      "hello-a-1",
      "something_new" as PodChange["change"],
      "does what is not known here",
      "old",
    ),
  ];
  render(<Timeline deploy={mk({ state: "rolling_out", timeline })} />);
  expect(screen.getByText(/1 new pod: 1 crashed/)).toBeTruthy();
  expect(screen.getByText("Crashed: hello ended with exit code 255")).toBeTruthy();
  expect(screen.getByText(/1 old pod: 1 something new/)).toBeTruthy();
});

test("many pods are counted, and opened by whoever wants each", async () => {
  const user = userEvent.setup();
  const pods = Array.from({ length: 9 }, (_, at) =>
    at === 4
      ? podEvent(at + 3, "hello-4", "waiting", "cannot start: ImagePullBackOff")
      : podEvent(at + 3, `hello-${at}`, "ready", "is ready"),
  );
  const timeline = [...mkTimeline("applying", "rolling_out"), ...pods];
  render(<Timeline deploy={mk({ state: "rolling_out", timeline })} />);
  expect(screen.getByText(/9 new pods: 8 ready, 1 waiting/)).toBeTruthy();
  expect(screen.getByText("hello-4")).toBeTruthy();
  expect(screen.queryByText("hello-3")).toBeNull();
  await user.click(screen.getByRole("button", { name: "Show each" }));
  expect(screen.getByText("hello-3")).toBeTruthy();
});
