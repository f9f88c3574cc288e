import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { keys, makeQueryClient } from "@/api/queries";
import type { Deploy } from "@/api/types";
import { mkDeploy } from "@/test/make";
import { HeldSection } from "./held";

const deploy: Deploy = {
  ...mkDeploy({
    id: 118,
    state: "queued",
    requested_by: "ada",
    held: {
      rule: "approval",
      message: "it needs 2 approvals",
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

function show(name: string) {
  const client = makeQueryClient();
  client.setQueryData(keys.me, { name, role: "owner", server_version: "1", via: "session" });
  return render(
    <QueryClientProvider client={client}>
      <HeldSection deploy={deploy} />
    </QueryClientProvider>,
  );
}

test("who asked for it reads why there is no button", () => {
  show("ada");
  expect(screen.getByText(/1 of 2 approvals, by bob/)).toBeTruthy();
  expect(screen.getByText("bob: “read it”")).toBeTruthy();
  expect(screen.getByText(/others approve it/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: /Approve/ })).toBeNull();
});

test("a rejection needs its reason", async () => {
  const user = userEvent.setup();
  const fetched = vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async () => Response.json({ ...deploy, state: "canceled" }));
  show("eve");
  expect(screen.getByRole("button", { name: "Approve deploy 118" })).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "Reject" }));
  const button = screen.getByRole("button", { name: "Reject deploy 118" });
  expect(button).toBeDisabled();
  await user.type(screen.getByLabelText("Reason"), "not on a Friday");
  await user.click(button);
  await vi.waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  const request = fetched.mock.calls[0]?.[0] as Request;
  expect(new URL(request.url).pathname).toBe("/api/v1/deploys/118/reject");
});
