import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { beforeEach, expect, test, vi } from "vitest";
import { keys, makeQueryClient } from "@/api/queries";
import type { ApiToken, Principal } from "@/api/types";
import { PeoplePage } from "./page";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children, to, ...rest }: { children: ReactNode; to: string; "aria-label"?: string }) => (
    <a href={to} aria-label={rest["aria-label"]}>
      {children}
    </a>
  ),
}));

const AT = "2026-01-01T10:00:00Z";
const SECRET = "hermez_0123456789abcdef";

/** What the server answers, by "METHOD /path". */
let answers: Record<string, { status: number; body: unknown }>;
let asked: Request[];

const mkPerson = (name: string, role = "viewer"): Principal => ({ name, role, created_at: AT });
const mkToken = (owner: string, own: Partial<ApiToken> = {}): ApiToken => ({
  id: `${owner}-1`,
  name: "laptop",
  owner,
  created_at: AT,
  ...own,
});

beforeEach(() => {
  asked = [];
  const people = [mkPerson("ada", "owner"), mkPerson("ci")];
  answers = {
    "GET /principals": { status: 200, body: { items: people } },
    "GET /tokens": { status: 200, body: { items: [mkToken("ada"), mkToken("ci", { id: "2" })] } },
  };
  vi.spyOn(globalThis, "fetch").mockImplementation(async (it) => {
    const request = it as Request;
    asked.push(request.clone());
    const path = new URL(request.url).pathname.replace("/api/v1", "");
    const answer = answers[`${request.method} ${path}`];
    return Response.json(answer?.body ?? {}, { status: answer?.status ?? 404 });
  });
});

function show(role = "owner") {
  const client = makeQueryClient();
  client.setQueryData(keys.me, { name: "ada", role, server_version: "1", via: "session" });
  render(
    <QueryClientProvider client={client}>
      <PeoplePage />
    </QueryClientProvider>,
  );
  return client;
}

const row = (name: RegExp) => screen.findByRole("row", { name });

test("everybody stands there with the role and the tokens that they have", async () => {
  show();
  const ada = await row(/^ada/);
  expect(within(ada).getByText("Owner")).toBeTruthy();
  const tokens = await screen.findByRole("link", { name: "1 valid token of ci" });
  expect(tokens).toHaveAttribute("href", "/tokens");
  expect(screen.queryByText("Nobody else may sign in")).toBeNull();
});

test("whoever is alone is told how to add somebody", async () => {
  answers["GET /principals"] = { status: 200, body: { items: [mkPerson("ada", "owner")] } };
  show();
  expect(await screen.findByText("Nobody else may sign in")).toBeTruthy();
  expect(screen.getByText("hermez principal create ada --role viewer")).toBeTruthy();
});

test("a viewer is told who could, and is offered nothing", async () => {
  const denied = {
    type: "urn:hermez:problem:denied",
    title: "You may not do this",
    status: 403,
    detail: "Viewers may look and change nothing.",
  };
  answers["GET /principals"] = { status: 403, body: denied };
  show("viewer");
  expect(await screen.findByText("You may not do this")).toBeTruthy();
  expect(screen.getByText(/Ask an owner/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: /Add a person/ })).toBeNull();
  expect(screen.queryByRole("button", { name: "Try again" })).toBeNull();
  expect(asked.some((it) => it.url.includes("/tokens"))).toBe(false);
});

test("what fails can be tried again", async () => {
  answers["GET /principals"] = { status: 500, body: {} };
  show();
  const again = await screen.findByRole("button", { name: "Try again" });
  answers["GET /principals"] = { status: 200, body: { items: [mkPerson("bob")] } };
  await userEvent.click(again);
  await row(/^bob/);
});

test("somebody is added with the least role, and then let in by a token that is shown once", async () => {
  const user = userEvent.setup();
  const client = show();
  await row(/^ci/);
  await user.click(screen.getByRole("button", { name: "Add a person or program" }));
  await user.type(screen.getByLabelText("Name"), "Bob");
  expect(screen.getByText("It begins with a lower-case letter")).toBeTruthy();
  expect(screen.getByRole("button", { name: "Add Bob" })).toBeDisabled();
  await user.clear(screen.getByLabelText("Name"));
  await user.type(screen.getByLabelText("Name"), "bob");
  const people = [mkPerson("ada", "owner"), mkPerson("ci"), mkPerson("bob")];
  answers["POST /principals"] = { status: 201, body: mkPerson("bob") };
  answers["GET /principals"] = { status: 200, body: { items: people } };
  await user.click(screen.getByRole("button", { name: "Add bob" }));
  await screen.findByRole("heading", { name: "bob is added" });
  const posted = asked.find((it) => it.method === "POST");
  expect(await posted?.json()).toEqual({ name: "bob", role: "viewer" });

  await user.click(screen.getByRole("button", { name: "Create a token" }));
  await user.type(screen.getByLabelText("What it is for"), "ci");
  answers["POST /principals/bob/tokens"] = {
    status: 201,
    body: { secret: SECRET, token: mkToken("bob", { name: "ci" }) },
  };
  await user.click(screen.getByRole("button", { name: "Create the token" }));
  expect(await screen.findByText(SECRET)).toBeTruthy();
  expect(screen.getByRole("button", { name: "Copy the secret" })).toBeTruthy();
  await user.click(screen.getByRole("button", { name: "I have copied it" }));
  expect(screen.queryByText(SECRET)).toBeNull();
  // Nothing of the page remembers it.
  await waitFor(() => {
    const kept = client
      .getMutationCache()
      .getAll()
      .map((it) => it.state.data);
    expect(JSON.stringify(kept)).not.toContain(SECRET);
  });
  expect(window.localStorage).toHaveLength(0);
});

test("a name that is taken is refused in the dialog, and nothing else happens", async () => {
  const user = userEvent.setup();
  show();
  await row(/^ci/);
  await user.click(screen.getByRole("button", { name: "Add a person or program" }));
  await user.type(screen.getByLabelText("Name"), "ci");
  answers["POST /principals"] = {
    status: 409,
    body: { type: "urn:hermez:problem:exists", title: "There is a ci already", status: 409 },
  };
  await user.click(screen.getByRole("button", { name: "Add ci" }));
  expect(await screen.findByText("There is a ci already")).toBeTruthy();
  expect(screen.getByLabelText("Name")).toHaveValue("ci");
});

test("a sign-in link is made from the row's menu", async () => {
  const user = userEvent.setup();
  show();
  await row(/^ci/);
  await user.click(screen.getByRole("button", { name: "More for ci" }));
  await user.click(await screen.findByRole("menuitem", { name: "Make a sign-in link…" }));
  const url = "https://hermez.example/login/abc";
  answers["POST /principals/ci/login-links"] = { status: 201, body: { url, expires_at: AT } };
  await user.click(screen.getByRole("button", { name: "Make the link" }));
  expect(await screen.findByText(url)).toBeTruthy();
  expect(screen.getByRole("button", { name: "Copy the link" })).toBeTruthy();
});
