import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import type { DeployComparison } from "@/api/types";
import { mkDeploy, mkSha } from "@/test/make";
import { Comparison } from "./comparison";

const mkChange = (own: Partial<DeployComparison> = {}): DeployComparison => ({
  from: mkDeploy({ id: 2 }),
  to: mkDeploy({ id: 1 }),
  coming: [],
  leaving: [],
  more_commits: false,
  images: [],
  manifest_diff: "",
  from_took_ms: null,
  to_took_ms: null,
  missing: [],
  ...own,
});

test("commits that leave are named with their authors, and the diff is shown", () => {
  const leaving = [
    { id: mkSha("abc"), title: "Crash", author: "Ada", committed_at: "2026-01-01T10:00:00Z" },
  ];
  render(
    <Comparison
      change={mkChange({ leaving, manifest_diff: "@@ -1 +1 @@\n-replicas: 3\n+replicas: 2\n" })}
    />,
  );
  expect(screen.getByText("1 commit leaves")).toBeTruthy();
  expect(screen.getByText("Ada")).toBeTruthy();
  expect(screen.getByText("-replicas: 3").className).toContain("text-failed");
  expect(screen.getByText("+replicas: 2").className).toContain("text-ok");
});

test("the same manifest is said to be the same, and one that is gone is not", () => {
  const { rerender } = render(<Comparison change={mkChange()} />);
  expect(screen.getByText("It stays the same.")).toBeTruthy();
  rerender(<Comparison change={mkChange({ missing: ["the manifest of deploy 1: gone"] })} />);
  expect(screen.getByText("It cannot be compared.")).toBeTruthy();
  expect(screen.getByText(/the manifest of deploy 1: gone/)).toBeTruthy();
});
