import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { keys, makeQueryClient } from "@/api/queries";
import type { Deploy, WorkloadRules } from "@/api/types";
import { mkDeploy } from "@/test/make";
import { HeldSection } from "./held";

vi.mock("@tanstack/react-router", () => ({ Link: () => null }));

const deploy: Deploy = {
  ...mkDeploy({
    id: 118,
    state: "queued",
    requested_by: "ada",
    held: {
      rule: "approval",
      message: "waits for 1 of 2 approvals (from: eve)",
      approvals: {
        needed: 2,
        given: [{ by: "bob", at: "2026-01-01T10:00:00Z", comment: "read it" }],
        people: ["eve"],
      },
    },
  }),
  images: [],
  timeline: [],
};

const free: WorkloadRules = {
  workload: "hello",
  project: "homefeed",
  own: {},
  of_project: {},
  verdict: { allowed: false, holds: [] },
  freezes: [],
};

function show(name: string, rules = free, own: Partial<Deploy> = {}) {
  const client = makeQueryClient();
  client.setQueryData(keys.me, { name, role: "owner", server_version: "1", via: "session" });
  client.setQueryData(keys.rules("hello"), rules);
  return render(
    <QueryClientProvider client={client}>
      <HeldSection deploy={{ ...deploy, ...own }} />
    </QueryClientProvider>,
  );
}

test("who asked for it reads why there is no button", () => {
  show("ada");
  expect(screen.getByText("Waits for 1 of 2 approvals (from: eve)")).toBeTruthy();
  expect(screen.getByText("Approved by bob: “read it”")).toBeTruthy();
  expect(screen.getByText(/others approve it/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: /Approve/ })).toBeNull();
});

test("whom only the project's rule names reads both rules, and approves", () => {
  const message = "waits for 1 of 1 approvals (from: bob); waits for 1 of 1 approvals (from: dan)";
  const approvals = { needed: 1, given: [], people: ["bob"] };
  const rules: WorkloadRules = {
    ...free,
    own: { approvals: { count: 1, people: ["bob"] } },
    of_project: { approvals: { count: 1, people: ["dan"] } },
  };
  show("dan", rules, { held: { rule: "approval", message, approvals } });
  expect(screen.getByText(/from: bob.*from: dan/)).toBeTruthy();
  expect(screen.getByRole("button", { name: "Approve deploy 118" })).toBeTruthy();
});

test("that too few may approve is said, with what to do", () => {
  const message = "waits for 2 of 2 approvals, and too few people may approve what ada asked for";
  const hint = "ask somebody else to ask for it";
  const approvals = { needed: 2, given: [], people: ["bob"] };
  show("bob", free, { held: { rule: "approval", message, hint, approvals } });
  expect(screen.getByText(/too few people may approve/)).toBeTruthy();
  expect(screen.getByText("Ask somebody else to ask for it")).toBeTruthy();
});

test("a rejection of a rollback says that the workload stays pinned", async () => {
  const user = userEvent.setup();
  show("eve", free, { kind: "rollback" });
  await user.click(screen.getByRole("button", { name: "Reject deploy 118" }));
  expect(screen.getByText(/stays pinned/)).toBeTruthy();
});

test("a rejection needs its reason", async () => {
  const user = userEvent.setup();
  const fetched = vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async () => Response.json({ ...deploy, state: "canceled" }));
  show("eve");
  expect(screen.getByRole("button", { name: "Approve deploy 118" })).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Reject deploy 118" }));
  const button = screen.getByRole("button", { name: "Reject deploy 118" });
  expect(button).toBeDisabled();
  await user.type(screen.getByLabelText("Reason"), "not on a Friday");
  await user.click(button);
  await vi.waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  const request = fetched.mock.calls[0]?.[0] as Request;
  expect(new URL(request.url).pathname).toBe("/api/v1/deploys/118/reject");
});

test("a freeze that holds it can be passed, with a reason, by this one deploy", async () => {
  const user = userEvent.setup();
  const at = "2026-01-01T09:00:00Z";
  const exception = { workload: "hello", deploy_id: 7, reason: "x", by: "ada", at };
  const freeze = {
    id: 3,
    from: "2026-01-01T09:00:00Z",
    created_at: "2026-01-01T09:00:00Z",
    by: "ada",
    reason: "the holidays",
    exceptions: [exception],
  };
  const rules: WorkloadRules = {
    ...free,
    freezes: [freeze, { ...freeze, id: 4, exceptions: [{ ...exception, deploy_id: 118 }] }],
  };
  const fetched = vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async (it) =>
      Response.json((it as Request).url.endsWith("/rules") ? rules : freeze),
    );
  show("eve", rules, { held: { rule: "freeze", message: "everything is frozen" } });
  expect(screen.queryByRole("button", { name: /from freeze 4/ })).toBeNull();
  await user.click(screen.getByRole("button", { name: "Except deploy 118 from freeze 3" }));
  const button = screen.getByRole("button", { name: "Except deploy 118" });
  expect(button).toBeDisabled();
  await user.type(screen.getByLabelText("Reason"), "the fix of the outage");
  await user.click(button);
  await vi.waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  const request = fetched.mock.calls
    .map(([it]) => it as Request)
    .find((it) => it.method === "POST");
  expect(new URL(request?.url ?? "").pathname).toBe("/api/v1/freezes/3/exceptions");
  expect(await request?.clone().json()).toEqual({
    deploy_id: 118,
    reason: "the fix of the outage",
  });
});
