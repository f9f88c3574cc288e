import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { expect, test, vi } from "vitest";
import { keys, makeQueryClient } from "@/api/queries";
import { proposeRevert } from "@/api/revert";
import type { Receipt, Revert } from "@/api/types";
import { mkDeploy, mkSha } from "@/test/make";
import { mayRevert, RevertOfFailed, RevertSection } from "./section";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children, params }: { children: ReactNode; params?: { id?: string } }) => (
    <a href={params?.id ? `/deploys/${params.id}` : "#"}>{children}</a>
  ),
}));

const mkRevert = (own: Partial<Revert> = {}): Revert => ({
  pull_request: 7,
  url: "https://git.example/team/hello/pulls/7",
  branch: "revert/hello-deploy-14",
  base_branch: "main",
  commit: mkSha("aaa1111"),
  commits: [
    {
      id: mkSha("95f6178"),
      title: "Greet all",
      author: "Ada",
      committed_at: "2026-01-01T09:00:00Z",
    },
  ],
  left_deploy: 13,
  by: "ada",
  at: "2026-01-01T10:05:00Z",
  ...own,
});

function show(own: { revert?: Revert | null; left?: number | null } = {}) {
  const client = makeQueryClient();
  const { left = 13, revert = null } = own;
  render(
    <QueryClientProvider client={client}>
      <RevertSection rollback={14} workload="hello" left={left} revert={revert} />
    </QueryClientProvider>,
  );
  return client;
}

const answer = (body: unknown, status = 200) =>
  vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async () => Response.json(body as object, { status }));

const button = () => screen.queryByRole("button", { name: "Propose revert as a pull request" });

test("the pull request takes the button's place, with its page in the forge and its commits", async () => {
  const fetched = answer(mkRevert());
  show();
  expect(screen.getByRole("link", { name: "deploy 13" })).toHaveAttribute("href", "/deploys/13");
  await userEvent.click(button() as HTMLElement);
  const link = await screen.findByRole("link", { name: "Pull request 7" });
  expect(link).toHaveAttribute("href", "https://git.example/team/hello/pulls/7");
  expect(screen.getByText("Greet all")).toBeTruthy();
  expect(button()).toBeNull();
  const request = fetched.mock.calls[0]?.[0] as Request;
  expect(request.method).toBe("POST");
  expect(new URL(request.url).pathname).toBe("/api/v1/deploys/14/revert");
});

test("one that was proposed already is shown with who did it, and cannot be asked for again", () => {
  show({ revert: mkRevert({ by: "bob" }) });
  expect(screen.getByText(/Proposed by bob/)).toBeTruthy();
  expect(button()).toBeNull();
});

test("an address that no browser should follow is no link", () => {
  show({ revert: mkRevert({ url: "javascript:alert(1)" }) });
  expect(screen.queryByRole("link", { name: "Pull request 7" })).toBeNull();
  expect(screen.getByText(/Pull request 7/)).toBeTruthy();
});

test("a conflict names the commit, the places with both sides, and what to do; it can be tried again", async () => {
  answer(
    {
      type: "urn:hermez:problem:revert-conflict",
      title: "The commits cannot be taken back by themselves",
      status: 409,
      detail: "95f6178 Greet all does not fit: message.txt in conflict.",
      hint: "Revert them by hand on a branch, and open its pull request; nothing was pushed.",
      places: [
        { file: "message.txt", line: 3, message: "<<<<<<< main\nall\n=======\n>>>>>>> parent" },
      ],
    },
    409,
  );
  show();
  await userEvent.click(button() as HTMLElement);
  expect(await screen.findByText(/does not fit/)).toBeTruthy();
  expect(screen.getByText("message.txt:3")).toBeTruthy();
  expect(screen.getByText(/=======/).tagName).toBe("PRE");
  expect(screen.getByText(/Revert them by hand/)).toBeTruthy();
  answer(mkRevert());
  await userEvent.click(button() as HTMLElement);
  await screen.findByRole("link", { name: "Pull request 7" });
  expect(screen.queryByRole("alert")).toBeNull();
});

test("what the rollback's dialog asked for is seen on the page, while it goes on and when it is there", async () => {
  let done = (_: Response) => {};
  vi.spyOn(globalThis, "fetch").mockImplementation(
    () =>
      new Promise((resolve) => {
        done = resolve;
      }),
  );
  const client = show();
  void proposeRevert(client, 14);
  await waitFor(() => expect(button()).toHaveAttribute("aria-busy", "true"));
  done(Response.json(mkRevert()));
  await screen.findByRole("link", { name: "Pull request 7" });
});

test("a deploy that failed offers it only once it was rolled back", () => {
  const deploy = mkDeploy({ id: 13, state: "failed" });
  const client = makeQueryClient();
  const page = () => (
    <QueryClientProvider client={client}>
      <RevertOfFailed deploy={deploy} />
    </QueryClientProvider>
  );
  client.setQueryData(keys.receipt(13), { rolled_back_by: null } as Receipt);
  const { unmount } = render(page());
  expect(button()).toBeNull();
  unmount();
  client.setQueryData(keys.receipt(13), { rolled_back_by: 14 } as Receipt);
  render(page());
  expect(button()).toBeTruthy();
});

test("only a rollback that took place left something", () => {
  expect(mayRevert(mkDeploy({ kind: "rollback" }))).toBe(true);
  expect(mayRevert(mkDeploy({ kind: "rollback", state: "canceled" }))).toBe(false);
  expect(mayRevert(mkDeploy({ kind: "regular" }))).toBe(false);
});
