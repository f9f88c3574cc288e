import { render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { WorkloadHeader } from "@/pages/workload/header";
import { columns } from "@/pages/workloads/columns";
import { mkBad, mkDeploy, mkFullWorkload, mkWorkload } from "@/test/make";
import { BadMark } from "./bad-mark";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children }: { children: unknown }) => children,
}));

test("a mark says who set it and why", () => {
  render(<BadMark bad={mkBad()} />);
  const words = "By grace, when other was rolled back from deploy 9: it crashes";
  expect(screen.getByTitle(words)).toHaveTextContent(`Marked bad. ${words}`);
});

test("a mark of an automatic rollback leads to the deploy that failed", () => {
  render(<BadMark bad={mkBad({ reason: "automatic: deploy 9 failed: no pod is ready" })} />);
  expect(
    screen.getByTitle("By grace, with the automatic rollback of other from deploy 9"),
  ).toBeTruthy();
});

test("a workload that runs what is marked as bad shows it in the table and in its header", () => {
  const cell = columns[0]?.cell;
  const current = mkDeploy();
  const { rerender } = render(<div>{cell?.(mkWorkload({ current }))}</div>);
  expect(screen.queryByText(/Marked bad/)).toBeNull();
  rerender(<div>{cell?.(mkWorkload({ current, bad: mkBad() }))}</div>);
  expect(screen.getByText(/Marked bad/)).toBeTruthy();

  const nothing = () => undefined;
  const actions = { onDeploy: nothing, onRollback: nothing, onRestart: nothing };
  rerender(<WorkloadHeader workload={mkFullWorkload({ current })} {...actions} />);
  expect(screen.queryByText(/[Mm]arked/)).toBeNull();
  rerender(<WorkloadHeader workload={mkFullWorkload({ current, bad: mkBad() })} {...actions} />);
  expect(screen.getByText(/Marked bad/)).toBeTruthy();
  expect(screen.getByText(/Marked as bad by grace/)).toHaveTextContent("it crashes");
});
