import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { makeQueryClient } from "@/api/queries";
import { mkCommit, mkDeploy, mkFullWorkload, mkSha } from "@/test/make";
import { HotfixDialog } from "./hotfix-dialog";

vi.mock("@tanstack/react-router", () => ({ useNavigate: () => () => {} }));

const show = () =>
  render(
    <QueryClientProvider client={makeQueryClient()}>
      <HotfixDialog
        workload={mkFullWorkload()}
        commits={[mkCommit("bbb"), mkCommit("aaa")]}
        onClose={() => {}}
      />
    </QueryClientProvider>,
  );

test("only what was tried can be deployed, oldest first", async () => {
  const user = userEvent.setup();
  const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(async () =>
    Response.json({
      base: mkDeploy({ id: 12 }),
      branch: "hotfix/hello-1",
      commit: mkSha("ccc"),
      commits: [],
    }),
  );
  show();
  await user.click(screen.getByLabelText(/Commit bbb/));
  await user.click(screen.getByLabelText(/Commit aaa/));
  const deploy = screen.getByRole("button", { name: "Deploy 2 commits as a hotfix" });
  expect(deploy).toBeDisabled();
  await user.click(screen.getByRole("button", { name: "See whether it fits" }));
  expect(await screen.findByText("hotfix/hello-1")).toBeTruthy();
  expect(deploy).toBeEnabled();
  const request = fetched.mock.calls[0]?.[0] as Request;
  expect((await request.clone().json()).commits).toEqual([mkSha("aaa"), mkSha("bbb")]);
  await user.click(screen.getByLabelText(/Commit bbb/));
  expect(screen.getByRole("button", { name: "Deploy 1 commit as a hotfix" })).toBeDisabled();
});

test("a conflict names its places", async () => {
  const user = userEvent.setup();
  vi.spyOn(globalThis, "fetch").mockImplementation(async () =>
    Response.json(
      {
        type: "urn:hermez:problem:hotfix-conflict",
        title: "A commit does not fit on what runs",
        status: 409,
        hint: "Pick the commit before it, too.",
        places: [
          { file: "notes.txt", line: 3, message: "<<<<<<< runs\n  a\n=======\n  b\n>>>>>>> aaa\n" },
        ],
      },
      { status: 409, headers: { "content-type": "application/problem+json" } },
    ),
  );
  show();
  await user.click(screen.getByLabelText(/Commit aaa/));
  await user.click(screen.getByRole("button", { name: "See whether it fits" }));
  expect(await screen.findByText("notes.txt:3")).toBeTruthy();
  expect(screen.getByText(/<<<<<<< runs/).textContent).toBe(
    "<<<<<<< runs\n  a\n=======\n  b\n>>>>>>> aaa",
  );
  expect(screen.getByText("Pick the commit before it, too.")).toBeTruthy();
  expect(screen.getByRole("button", { name: "Deploy 1 commit as a hotfix" })).toBeDisabled();
});
