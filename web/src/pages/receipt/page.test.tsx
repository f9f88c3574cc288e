import { render, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, test, vi } from "vitest";
import type { Receipt } from "@/api/types";
import { mkDeploy, mkSha } from "@/test/make";
import { ReceiptView } from "./page";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children, search }: { children: ReactNode; search?: { rollback?: string } }) => (
    <a href={search?.rollback ? `?rollback=${search.rollback}` : "#"}>{children}</a>
  ),
  useParams: () => ({ id: "13" }),
  useNavigate: () => () => {},
}));

const mkReceipt = (own: Partial<Receipt> = {}): Receipt => ({
  deploy: mkDeploy({ id: 13, state: "failed" }),
  is_current: true,
  gathered_at: "2026-01-01T10:01:00Z",
  took_ms: 80,
  cause: "crash_loop",
  sentence: "The pod crashes again and again: container app ended with exit code 3",
  next_step: "Read the last words.",
  containers: [
    {
      pod: "hello-1-a",
      container: "app",
      gone: true,
      state: "CrashLoopBackOff",
      message: null,
      exit_code: 3,
      restarts: 2,
      lines: [{ at: null, text: "password=*** <b>no</b>" }],
    },
  ],
  build_lines: [],
  events: [],
  compared_with: 12,
  manifest_diff: "@@ -1 +1 @@\n-replicas: 3\n+replicas: 2\n",
  images: [],
  coming: [
    { id: mkSha("abc"), title: "Crash", author: "Ada", committed_at: "2026-01-01T09:00:00Z" },
  ],
  leaving: [],
  more_commits: false,
  rollback: { deploy_id: 12, commit: mkSha("8b360be"), title: "Greet" },
  missing: ["the last lines of x/y: no answer within 3 s"],
  ...own,
});

test("the cause, the last lines, the commits and the way back are there", () => {
  render(<ReceiptView receipt={mkReceipt()} />);
  expect(screen.getByRole("heading", { level: 1 }).textContent).toContain("Container crashes");
  expect(screen.getByText(/ended with exit code 3/)).toBeTruthy();
  expect(screen.getByText("Read the last words.")).toBeTruthy();
  expect(screen.getByText("password=*** <b>no</b>")).toBeTruthy();
  expect(screen.getByText("the pod was gone already")).toBeTruthy();
  expect(screen.getByText("1 commit comes")).toBeTruthy();
  expect(screen.getByText(/no answer within 3 s/)).toBeTruthy();
  const back = screen.getByText(/Roll back to/).closest("a");
  expect(back?.textContent).toBe("Roll back to 8b360be");
  expect(back?.getAttribute("href")).toBe("?rollback=12");
});

test("a receipt of a deploy that was followed by another has no way back", () => {
  render(<ReceiptView receipt={mkReceipt({ is_current: false })} />);
  expect(screen.queryByText(/Roll back to/)).toBeNull();
  expect(screen.getByText(/not what the cluster was last told/)).toBeTruthy();
});

test("without an earlier good deploy nothing is compared", () => {
  render(<ReceiptView receipt={mkReceipt({ compared_with: null, rollback: null })} />);
  expect(screen.queryByText("Manifest")).toBeNull();
});
