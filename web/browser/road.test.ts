/**
 * The main job in a real browser, on a real server and cluster: sign in, create the workload, press
 * deploy, watch it finish, read the log, open the sample; and look at every page on the way.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Complaints, inspect, launch, picture } from "./browser";
import { type Environment, prepare } from "./environment";

const BUILD_TIMEOUT_MS = 240_000;
const DEPLOY_TIMEOUT_MS = 180_000;

let environment: Environment;
let browser: Browser;
let page: Page;
let name = "";
const complaints = new Complaints();

const path = () => new URL(page.url()).pathname;
const open = (to: string) => page.goto(`${environment.server}${to}`);

beforeAll(async () => {
  environment = await prepare();
  browser = await launch();
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: "light",
    reducedMotion: "reduce",
  });
  context.setDefaultTimeout(30_000);
  complaints.listen(context);
  page = await context.newPage();
});

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await picture(page, "failed");
});

afterAll(async () => {
  await browser?.close();
  await environment?.close();
});

test("who is not signed in is told how, on any page", async () => {
  await open("/builds");
  await page.getByRole("heading", { name: "Sign in to Hermez" }).waitFor();
  await page.getByText("hermez login-link", { exact: true }).waitFor();
  await inspect(page, "login");
});

test("a one-time link signs in", async () => {
  await page.goto(environment.loginUrl);
  await page.getByRole("navigation", { name: "Main" }).waitFor();
  expect(path()).toBe("/workloads");
  await inspect(page, "workloads-before");
});

test("a mistake in the dialog is named, and nothing is created", async () => {
  await open("/workloads?create=true");
  await page.getByLabel("Code repository").fill(environment.repository);
  await page.getByLabel("Kubernetes config file").fill("no/such/file.yaml");
  await page.getByRole("button", { name: "Read the repository" }).click();
  await page.getByRole("alert").waitFor();
  expect(await page.getByRole("alert").textContent()).toContain("no/such/file.yaml");
  await inspect(page, "create-refused");
});

test("a repository and a config file make a workload", async () => {
  await page.getByLabel("Kubernetes config file").fill(environment.config);
  await page.getByRole("button", { name: "Read the repository" }).click();
  await page.getByText("This is what Hermez read.").waitFor();
  const title = await page.getByRole("dialog").getByRole("heading").textContent();
  name = (title ?? "").replace(/^Create /, "");
  await page.getByRole("dialog").getByText("PinterestService").waitFor();
  await inspect(page, "create-plan");
  await page
    .getByRole("button", { name: /^Create / })
    .last()
    .click();
  await page.waitForURL(`**/workloads/${name}`);
  await page.getByText("Nothing is deployed yet").waitFor();
  await inspect(page, "workload-fresh");
});

test("its commit is built, and the page shows it without being loaded again", async () => {
  await page.getByRole("link", { name: "Commits" }).click();
  await page.getByRole("table", { name: "Commits" }).waitFor();
  const available = page.getByRole("link", { name: "Available" });
  await available.waitFor({ timeout: BUILD_TIMEOUT_MS });
  await inspect(page, "commits");
  await available.click();
  await page.getByRole("heading", { name: "Build succeeded" }).waitFor();
  await page.getByRole("button", { name: "Open all steps" }).click();
  await page.getByRole("region", { name: /^Log of build/ }).waitFor();
  await inspect(page, "build");
});

test("pressing deploy brings it out, and the page follows to the end", async () => {
  await open(`/workloads/${name}/commits`);
  await page
    .getByRole("button", { name: /^Deploy [0-9a-f]{7}$/ })
    .last()
    .click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("The first deploy").waitFor();
  await dialog.getByLabel("Reason").fill("The browser test says so");
  await inspect(page, "deploy-dialog");
  await dialog.getByRole("button", { name: /^Deploy [0-9a-f]{7}$/ }).click();
  await page.waitForURL("**/deploys/*");
  await page
    .getByRole("heading", { name: "Deploy finished" })
    .waitFor({ timeout: DEPLOY_TIMEOUT_MS });
  await page.getByText("The browser test says so").waitFor();
  await inspect(page, "deploy");
});

test("the workload runs: pods, containers, events, its answer", async () => {
  await open(`/workloads/${name}`);
  await page.getByText("100 %").waitFor();
  const pods = page.getByRole("table", { name: "Pods" });
  await pods.getByText("Running").first().waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByText("0 restarts").first().waitFor();
  await inspect(page, "workload");

  const link = page.getByRole("link", { name: /^Open/ });
  await link.waitFor({ timeout: 60_000 });
  const answer = await fetch((await link.getAttribute("href")) ?? "");
  expect(answer.status).toBe(200);
  expect(await answer.text()).toContain("Hello from");
});

test("its log is read, searched, and followed", async () => {
  await page.getByRole("link", { name: "Logs" }).click();
  const log = page.getByRole("region", { name: `Log of ${name}` });
  await log.getByText("listening on port").first().waitFor();
  await page.getByLabel("Search the log").fill("listening");
  await page.keyboard.press("Enter");
  await page.getByText(/^1 of \d+$/).waitFor();
  const href = await page.getByRole("link", { name: /^Open/ }).getAttribute("href");
  await page.getByLabel("Search the log").fill("");
  await fetch(`${href}a-line-of-its-own`);
  await log.getByText("a-line-of-its-own").waitFor();
  await inspect(page, "logs");
});

test("a push is seen by itself, and the newest commit is offered", async () => {
  if (environment.push === null) return;
  await open(`/workloads/${name}/commits`);
  await page.getByRole("table", { name: "Commits" }).waitFor();
  await environment.push("Hello again.");
  await page.getByText("Say: Hello again.").waitFor({ timeout: 60_000 });
  await page.getByRole("link", { name: "Available" }).nth(1).waitFor({ timeout: BUILD_TIMEOUT_MS });
  await page.getByRole("heading", { name }).click();
  await page.keyboard.press("d");
  await page.getByRole("dialog").getByText("1 commit comes in").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

/** A browser that is not signed in is led to the preview once it is. */
async function comesBySigningIn(address: string, answer: string) {
  if (!environment.anotherLink) return;
  const context = await browser.newContext();
  const visitor = await context.newPage();
  await visitor.goto(address);
  await visitor.getByRole("heading", { name: "Sign in to Hermez" }).waitFor();
  const other = await context.newPage();
  await other.goto(await environment.anotherLink());
  await other.getByRole("navigation", { name: "Main" }).waitFor();
  await visitor.bringToFront();
  await visitor
    .getByRole("button", { name: "I have opened the link" })
    .click({ timeout: 5_000 })
    .catch(() => {}); // it may have gone on by itself
  await visitor.getByText(answer).waitFor();
  expect(visitor.url()).toContain(address);
  await context.close();
}

test("a pull request is deployed beside it, and removed again", async () => {
  if (environment.openPull === null) return;
  await open(`/workloads/${name}/pull-requests`);
  await page.getByText("No open pull requests").waitFor();
  await inspect(page, "pull-requests-empty");
  const title = "Hello from a pull request.";
  const number = await environment.openPull(title);
  await page.reload();
  await page.getByRole("link", { name: title }).click();
  await page.getByRole("button", { name: /^Deploy [0-9a-f]{7}$/ }).click();
  const dialog = page.getByRole("dialog", { name: `Deploy pull request ${number}` });
  await dialog.getByLabel("Pods").waitFor();
  await inspect(page, "pull-request-dialog");
  await dialog.getByRole("button", { name: /^Deploy/ }).click();
  await page.waitForURL("**/deploys/*");
  await page
    .getByRole("heading", { name: "Deploy finished" })
    .waitFor({ timeout: BUILD_TIMEOUT_MS + DEPLOY_TIMEOUT_MS });
  await page.getByRole("link", { name: "See the preview" }).click();
  const preview = page.getByRole("region", { name: "Preview" });
  await preview.getByText("Awake").waitFor();
  await inspect(page, "pull-request");
  const address = await preview.getByRole("link", { name: /^https?:/ }).getAttribute("href");
  await comesBySigningIn(address ?? "", title);
  await open(`/workloads/${name}/pull-requests`);
  await page.getByRole("table", { name: "Pull requests" }).getByText("Awake").waitFor();
  await inspect(page, "pull-requests");
  await page.getByRole("link", { name: title }).click();
  await preview.getByRole("button", { name: "Remove the preview" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove the preview" }).click();
  await page.getByRole("heading", { name: "No preview" }).waitFor({ timeout: 60_000 });
});

test("a rollback brings back what ran, and its revert is proposed in the forge", async () => {
  if (environment.push === null) return;
  await open(`/workloads/${name}`);
  await page.getByRole("heading", { name }).waitFor();
  await page.keyboard.press("d");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("1 commit comes in").waitFor();
  await dialog.getByRole("button", { name: /^Deploy [0-9a-f]{7}$/ }).click();
  await page.waitForURL("**/deploys/*");
  const finished = page.getByRole("heading", { name: "Deploy finished" });
  await finished.waitFor({ timeout: DEPLOY_TIMEOUT_MS });
  await open(`/workloads/${name}?rollback=previous`);
  await dialog.getByText("1 commit leaves").waitFor();
  await dialog.getByLabel("Propose revert as a pull request, too").check();
  await inspect(page, "rollback-dialog");
  await dialog.getByRole("button", { name: /^Roll back to/ }).click();
  await page.waitForURL("**/deploys/*");
  const repository = page.getByRole("region", { name: "In the repository" });
  const link = repository.getByRole("link", { name: /^Pull request/ });
  await link.waitFor();
  expect(await link.getAttribute("href")).toContain("/pulls/");
  await repository.getByText("Say: Hello again.").waitFor();
  await finished.waitFor({ timeout: DEPLOY_TIMEOUT_MS });
  await inspect(page, "revert");
});

test("the other pages hold what happened", async () => {
  await open(`/workloads/${name}/history`);
  await page.getByRole("table", { name: "Deploys" }).getByText("Finished").first().waitFor();
  await inspect(page, "history");
  await open(`/workloads/${name}/settings`);
  await page.getByRole("button", { name: `Delete ${name}` }).waitFor();
  await inspect(page, "settings");
  await open("/activity");
  await page.getByRole("link", { name }).first().waitFor();
  await inspect(page, "activity");
  await open("/activity?show=record");
  await page.getByRole("table", { name: "Record of changes" }).waitFor();
  await inspect(page, "record");
  await open("/builds");
  await page.getByRole("link", { name }).first().waitFor();
  await inspect(page, "builds");
  await open("/workloads");
  await page.getByRole("link", { name, exact: true }).waitFor();
  await inspect(page, "workloads");
  await open("/no/such/page");
  await page.getByRole("heading", { name: "There is no page here" }).waitFor();
  await inspect(page, "missing");
});

test("how many pods, a project and the freezes have their pages", async () => {
  await open(`/workloads/${name}/scale`);
  await page.getByText("says how many").waitFor();
  await inspect(page, "scale");
  await page.getByRole("link", { name: /^project / }).click();
  await page
    .getByRole("table", { name: /^Workloads of project/ })
    .getByText(name)
    .waitFor();
  await inspect(page, "project");
  await open("/freezes?all=true");
  await page.getByRole("button", { name: "Create a freeze" }).click();
  await page.getByLabel("Reason").waitFor();
  await inspect(page, "freeze-dialog");
  await page.keyboard.press("Escape");
  await inspect(page, "freezes");
});

test("everything is reached from the keyboard", async () => {
  await open("/workloads");
  await page.getByRole("link", { name, exact: true }).waitFor();
  await page.keyboard.press("/");
  await page.getByPlaceholder("Search workloads, or type what to do").fill(name);
  await inspect(page, "palette");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name }).waitFor();
  await page.keyboard.press("2");
  await page.waitForURL("**/commits");
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await page.waitForURL("**/activity");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await inspect(page, "shortcuts");
  await page.keyboard.press("Escape");
});

test("a token is shown once and can be revoked", async () => {
  await open("/tokens");
  await page.getByRole("button", { name: "Create a token" }).click();
  await page.getByLabel("What it is for").fill(`token of ${name}`);
  await page.getByRole("button", { name: "Create the token" }).click();
  await page.getByText(/^hermez_/).waitFor();
  await page.getByRole("button", { name: "I have copied it" }).click();
  await page.getByText(/^hermez_/).waitFor({ state: "detached" });
  await inspect(page, "tokens");
  await page.getByRole("button", { name: `Revoke token of ${name}` }).click();
  await page
    .getByRole("dialog")
    .getByRole("button", { name: /^Revoke/ })
    .click();
  await page
    .getByRole("row", { name: new RegExp(`token of ${name}`) })
    .getByText("Revoked")
    .waitFor();
});

test("somebody is added, signs in by a link, and sees only what the role allows", async () => {
  const guest = `guest-of-${name}`;
  await open("/people");
  await page.getByRole("button", { name: "Add a person or program" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill(guest);
  await dialog.getByRole("button", { name: /^Add/ }).click();
  await dialog.getByRole("button", { name: "Make a sign-in link" }).click();
  await dialog.getByRole("button", { name: "Make the link" }).click();
  const url = await dialog.getByText(/\/login\//).textContent();
  await dialog.getByRole("button", { name: "I have copied it" }).click();
  await page.getByRole("row", { name: new RegExp(guest) }).waitFor();
  await inspect(page, "people");

  const context = await browser.newContext({ reducedMotion: "reduce" });
  complaints.listen(context);
  const theirs = await context.newPage();
  await theirs.goto(url ?? "");
  await theirs.getByRole("button", { name: `You: ${guest}` }).waitFor();
  await theirs.goto(`${environment.server}/people`);
  await theirs.getByRole("alert").getByText("You may not do this").waitFor();
  await context.close();
});

test("a workload is deleted only after its name was typed", async () => {
  await open(`/workloads/${name}/settings`);
  await page.getByRole("button", { name: `Delete ${name}` }).click();
  const dialog = page.getByRole("dialog");
  const button = dialog.getByRole("button", { name: /^Delete/ });
  expect(await button.isDisabled()).toBe(true);
  await dialog.getByLabel(/^Type the workload/).fill(name);
  await inspect(page, "delete");
  await button.click();
  await page.waitForURL("**/workloads");
  await page.getByRole("link", { name, exact: true }).waitFor({ state: "detached" });
});

test("signing out leads to the page that says how to come back", async () => {
  await page.getByRole("button", { name: /^You/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in to Hermez" }).waitFor();
  await open("/workloads");
  await page.getByRole("heading", { name: "Sign in to Hermez" }).waitFor();
  complaints.expectNone();
});
