import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { makeQueryClient } from "@/api/queries";
import type { PullRequest } from "@/api/types";
import { mkBad, mkDeploy, mkFullWorkload, mkPreview, mkPull, mkSha } from "@/test/make";
import { PullRequestView } from "./view";

const navigate = vi.fn();
vi.mock("@tanstack/react-router", () => ({
  Link: ({ children }: { children: unknown }) => children,
  useNavigate: () => navigate,
}));

afterEach(() => vi.restoreAllMocks());

const show = (pull: PullRequest, type = "PinterestService") =>
  render(
    <QueryClientProvider client={makeQueryClient()}>
      <PullRequestView workload={mkFullWorkload({ workload_type: type as never })} pull={pull} />
    </QueryClientProvider>,
  );

const answer = (body: unknown, status = 200) =>
  vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async () =>
      status === 204 ? new Response(null, { status }) : Response.json(body, { status }),
    );
const asked = (fetched: ReturnType<typeof answer>) => fetched.mock.calls[0]?.[0] as Request;

test("a fork's commit is not deployed before it is allowed, and says what allowing means", async () => {
  const user = userEvent.setup();
  const pull = mkPull({ from_fork: true, allowed: false });
  const fetched = answer({ ...pull, allowed: true });
  show(pull);
  expect(screen.getByText(/anybody may have written it/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: /^Deploy/ })).toBeNull();
  await user.click(screen.getByRole("button", { name: "Allow 416a621" }));
  expect(screen.getByText(/a new push needs a new word/)).toBeTruthy();
  const dialog = screen.getByRole("dialog");
  expect(fetched).not.toHaveBeenCalled();
  await user.click(screen.getByRole("button", { name: "Allow 416a621" }));
  await vi.waitFor(() => expect(dialog).not.toBeInTheDocument());
  expect(new URL(asked(fetched).url).pathname).toBe(
    "/api/v1/workloads/hello/pull-requests/12/allow",
  );
  expect(await asked(fetched).clone().json()).toEqual({ commit: pull.head });
});

test("the newest commit is deployed with its pods, and leads to its deploy", async () => {
  const user = userEvent.setup();
  const fetched = answer(mkDeploy({ id: 31, pull_request: 12 }), 202);
  show(mkPull());
  await user.click(screen.getByRole("button", { name: "Deploy 416a621" }));
  const pods = screen.getByLabelText("Pods");
  await user.clear(pods);
  await user.type(pods, "11");
  const button = screen.getAllByRole("button", { name: "Deploy 416a621" }).at(-1) as HTMLElement;
  expect(button).toBeDisabled();
  await user.clear(pods);
  await user.type(pods, "2");
  await user.click(button);
  await vi.waitFor(() => expect(navigate).toHaveBeenCalled());
  expect(await asked(fetched).clone().json()).toEqual({
    reason: null,
    override_bad: null,
    replicas: 2,
  });
});

test("what is marked as bad is deployed only with a word why it is right", async () => {
  const user = userEvent.setup();
  const held = {
    type: "urn:hermez:problem:deploy-held",
    title: "A rule holds this deploy back",
    status: 409,
    detail: "This artifact was marked as bad by ada.",
  };
  const fetched = answer(held, 409);
  show(mkPull({ preview: mkPreview({ bad: mkBad() }) }));
  expect(screen.getByText(/Marked as bad by grace/)).toHaveTextContent("it crashes");
  await user.click(screen.getByRole("button", { name: /^Deploy 416a621/ }));
  const press = () => screen.getAllByRole("button", { name: "Deploy 416a621" }).at(-1);
  await user.click(press() as HTMLElement);
  const why = await screen.findByLabelText("Why it is right to deploy it all the same");
  expect(screen.getByText(/marked as bad by ada/)).toBeTruthy();
  expect(press()).toBeDisabled();
  fetched.mockImplementation(async () =>
    Response.json(mkDeploy({ id: 32, pull_request: 12 }), { status: 202 }),
  );
  navigate.mockClear();
  await user.type(why, "it is looked at");
  await user.click(press() as HTMLElement);
  await vi.waitFor(() => expect(navigate).toHaveBeenCalled());
  const last = fetched.mock.calls.at(-1)?.[0] as Request;
  expect((await last.clone().json()).override_bad).toBe("it is looked at");
});

test("a preview says how it is, and that a newer commit was pushed", () => {
  const preview = mkPreview({ commit: mkSha("0ldc0de"), shared: true });
  show(mkPull({ preview }));
  expect(screen.getByText("Awake")).toBeTruthy();
  expect(screen.getByText("1 of 1 pod ready")).toBeTruthy();
  expect(screen.getByText(/The newer/)).toHaveTextContent("The newer 416a621 is not deployed.");
  expect(screen.getByText(/whoever has the shared link/)).toBeTruthy();
  expect(screen.getByRole("link", { name: /Open/ })).toHaveAttribute("href", preview.url);
});

test("a shared link is shown once", async () => {
  const user = userEvent.setup();
  answer({ url: "https://hello-pr-12.preview.example/.hermez/share/s3cret" });
  show(mkPull({ preview: mkPreview() }));
  await user.click(screen.getByRole("button", { name: "Share" }));
  await user.click(screen.getByRole("button", { name: "Make a link" }));
  expect(await screen.findByText(/s3cret/)).toBeTruthy();
  expect(screen.getByRole("button", { name: "Copy the link" })).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "I have copied it" }));
  expect(screen.queryByText(/s3cret/)).toBeNull();
});

test("removing asks once, and shows a refusal with its next step", async () => {
  const user = userEvent.setup();
  answer(
    {
      type: "urn:hermez:problem:unavailable",
      title: "The cluster does not answer",
      status: 503,
      hint: "Try again in a moment.",
    },
    503,
  );
  show(mkPull({ preview: mkPreview() }));
  await user.click(screen.getByRole("button", { name: "Remove the preview" }));
  expect(screen.getByText(/The way back is to deploy the pull request again/)).toBeTruthy();
  await user.click(
    screen.getAllByRole("button", { name: "Remove the preview" }).at(-1) as HTMLElement,
  );
  expect(await screen.findByText("Try again in a moment.")).toBeTruthy();
});

test("a cron job's preview runs when somebody says so, and never sleeps", async () => {
  const user = userEvent.setup();
  const fetched = answer({ name: "demo-pr-12-1", outcome: "running" }, 202);
  show(mkPull({ preview: mkPreview({ url: null, sleeps_at: null }) }), "PinterestCronJob");
  expect(screen.queryByRole("button", { name: "Let it sleep" })).toBeNull();
  await user.click(screen.getByRole("button", { name: "Run once" }));
  await user.type(screen.getByLabelText("Arguments"), '--day "1 May"');
  await user.click(screen.getByRole("button", { name: "Run pull request 12 once" }));
  await vi.waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(await asked(fetched).clone().json()).toEqual({ arguments: ["--day", "1 May"] });
});
