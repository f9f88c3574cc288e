import { QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { expect, test, vi } from "vitest";
import { makeQueryClient } from "@/api/queries";
import type { HistorySearch } from "@/lib/search";
import { mkDeploy } from "@/test/make";
import { HistoryTab } from "./history";

let search: HistorySearch = {};
const navigate = vi.fn();
vi.mock("@tanstack/react-router", () => ({
  Link: ({ to, params, children }: { to: string; params?: object; children: ReactNode }) => (
    <a href={Object.entries(params ?? {}).reduce((at, [key, it]) => at.replace(`$${key}`, it), to)}>
      {children}
    </a>
  ),
  useParams: () => ({ name: "hello" }),
  useSearch: () => search,
  useNavigate: () => navigate,
}));

function show(now: HistorySearch) {
  search = now;
  navigate.mockReset();
  const items = [9, 7, 4].map((id) => mkDeploy({ id }));
  const fetched = vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async () => Response.json({ items, next_cursor: null }));
  render(
    <QueryClientProvider client={makeQueryClient()}>
      <HistoryTab />
    </QueryClientProvider>,
  );
  return fetched;
}

test("two deploys are chosen from the keyboard, and compared from the older to the newer", async () => {
  const user = userEvent.setup();
  show({});
  await screen.findByText("#9");
  expect(screen.queryByRole("checkbox")).toBeNull();
  const begin = screen.getByRole("button", { name: "Compare two deploys" });
  await user.click(begin);
  expect(screen.getByRole("button", { name: "Compare" })).toBeDisabled();
  screen.getByRole("checkbox", { name: "Compare deploy 9" }).focus();
  await user.keyboard(" ");
  expect(screen.getByRole("status").textContent).toBe("#9 and one more");
  await user.click(screen.getByRole("checkbox", { name: "Compare deploy 4" }));
  const link = screen.getByRole("link", { name: "Compare #4 with #9" });
  expect(link.getAttribute("href")).toBe("/deploys/4/compare/9");
  await user.click(screen.getByRole("button", { name: "Cancel" }));
  expect(screen.queryByRole("checkbox")).toBeNull();
  expect(begin).toHaveFocus();
});

test("the times are asked for as instants, and kept in the URL", async () => {
  const fetched = show({ since: "2026-01-01T12:00:00+02:00" });
  await screen.findByText("#9");
  const request = fetched.mock.calls[0]?.[0] as Request;
  const url = new URL(request.url);
  expect(url.searchParams.get("since")).toBe("2026-01-01T10:00:00.000Z");
  expect(url.searchParams.has("until")).toBe(false);
  fireEvent.change(screen.getByLabelText("Until"), { target: { value: "2026-01-02T08:00" } });
  const change = navigate.mock.calls[0]?.[0].search({ by: "ada" });
  expect(change).toEqual({ by: "ada", until: new Date(2026, 0, 2, 8).toISOString() });
});

test("times between which nothing lies are told at the field, and not asked for", () => {
  const fetched = show({ since: "2026-01-02T10:00:00Z", until: "2026-01-01T10:00:00Z" });
  const until = screen.getByLabelText("Until");
  expect(until).toHaveAttribute("aria-invalid", "true");
  expect(until).toHaveAccessibleDescription("This must be later than From");
  expect(screen.getByRole("button", { name: "Clear the filters" })).toBeTruthy();
  expect(fetched).not.toHaveBeenCalled();
});

test("a time that is none is told at the field", () => {
  const fetched = show({ since: "soon" });
  expect(screen.getByLabelText("From")).toHaveAccessibleDescription("This is no day and time");
  expect(fetched).not.toHaveBeenCalled();
});
