import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { keys, makeQueryClient } from "@/api/queries";
import { ProjectRules } from "./rules";

test("a project's rules are set for all its workloads", async () => {
  const user = userEvent.setup();
  const client = makeQueryClient();
  const rules = { project: "demo", approvals: { count: 2, role: "owner" } };
  client.setQueryData(keys.projectRules("demo"), rules);
  const fetched = vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async () => Response.json(rules));
  render(
    <QueryClientProvider client={client}>
      <ProjectRules project="demo" />
    </QueryClientProvider>,
  );
  expect(screen.getByText(/2 from whoever has the role owner/)).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Change the windows" }));
  expect(screen.getByRole("dialog", { name: "Windows of project demo" })).toBeTruthy();
  const zone = screen.getByLabelText("Time zone");
  await user.clear(zone);
  await user.type(zone, "UTC");
  await user.click(screen.getByRole("button", { name: "Set the windows" }));
  await vi.waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  const request = fetched.mock.calls.map(([it]) => it as Request).find((it) => it.method === "PUT");
  expect(new URL(request?.url ?? "").pathname).toBe("/api/v1/projects/demo/rules/windows");
  expect(await request?.clone().json()).toEqual({
    time_zone: "UTC",
    windows: [{ days: ["mon", "tue", "wed", "thu", "fri"], from: "09:00", to: "17:00" }],
  });
});
