import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { expect, test, vi } from "vitest";
import { keys, makeQueryClient } from "@/api/queries";
import type { WorkloadGates, WorkloadRules } from "@/api/types";
import { mkFullWorkload } from "@/test/make";
import { GatesSetting } from "./gates-setting";
import { RulesSettings } from "./rules-settings";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children }: { children: ReactNode }) => <a href="/">{children}</a>,
}));

const rules: WorkloadRules = {
  workload: "hello",
  project: "homefeed",
  freezes: [],
  lock: { by: "ada", at: "2026-01-01T10:00:00Z", reason: "a migration" },
  own: {
    windows: { time_zone: "UTC", windows: [{ days: ["mon", "tue"], from: "09:00", to: "17:00" }] },
  },
  of_project: { approvals: { count: 2, people: ["ada", "bob"] } },
  verdict: {
    allowed: false,
    holds: [{ rule: "lock", scope: "workload", message: "ada has locked hello" }],
  },
};
const gates: WorkloadGates = {
  ready_seconds: 30,
  checks: [{ name: "errors", query: "up", comparison: "<", threshold: 0.5, for_seconds: 60 }],
  has_prometheus: true,
  is_default: false,
};

function show(name: string) {
  const client = makeQueryClient();
  client.setQueryData(keys.me, { name, role: "owner", server_version: "1", via: "session" });
  client.setQueryData(keys.rules("hello"), rules);
  client.setQueryData(keys.gates("hello"), gates);
  render(
    <QueryClientProvider client={client}>
      <RulesSettings workload={mkFullWorkload()} />
      <GatesSetting workload={mkFullWorkload()} />
    </QueryClientProvider>,
  );
}

test("the rules and what they say to whoever asks stand there", () => {
  show("ada");
  expect(screen.getByText("It would be held")).toBeTruthy();
  expect(screen.getByText(/Mon-Tue 09:00-17:00 \(UTC\)/)).toBeTruthy();
  expect(screen.getByText(/2 from ada, bob/)).toBeTruthy();
  expect(screen.getByRole("button", { name: "Unlock" })).toBeTruthy();
});

test("somebody else's lock is broken with a reason only", async () => {
  const user = userEvent.setup();
  const fetched = vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async () => new Response(null, { status: 204 }));
  show("eve");
  await user.click(screen.getByRole("button", { name: "Break the lock" }));
  const dialog = screen.getByRole("dialog");
  const button = screen.getByRole("button", { name: "Break the lock" });
  expect(dialog).toContainElement(button);
  expect(button).toBeDisabled();
  await user.type(screen.getByLabelText("Reason"), "ada is on holiday");
  await user.click(button);
  await vi.waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  const request = fetched.mock.calls[0]?.[0] as Request;
  const url = new URL(request.url);
  expect(url.searchParams.get("break")).toBe("true");
  expect(url.searchParams.get("reason")).toBe("ada is on holiday");
});

test("gates are changed as they stand", async () => {
  const user = userEvent.setup();
  const fetched = vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async () => Response.json(gates));
  show("ada");
  await user.click(screen.getByRole("button", { name: "Change the gates" }));
  const limit = screen.getByLabelText("Limit");
  await user.clear(limit);
  expect(screen.getByRole("button", { name: "Set the gates" })).toBeDisabled();
  await user.type(limit, "120%");
  await user.click(screen.getByRole("button", { name: "Set the gates" }));
  await vi.waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  const request = fetched.mock.calls[0]?.[0] as Request;
  expect(await request.clone().json()).toEqual({
    ready_seconds: 30,
    auto_rollback: false,
    checks: [
      {
        name: "errors",
        query: "up",
        comparison: "<",
        for_seconds: 60,
        relative_to_old_percent: 120,
      },
    ],
  });
});
