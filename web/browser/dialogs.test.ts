/**
 * What people do about a workload that runs, each by its dialog, on a real server and cluster:
 * scaling, restarts, gates, canaries, locks, freezes, approvals, hotfixes, and a deploy that fails.
 */
import { randomBytes } from "node:crypto";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { Commit, Deploy, DeployComparison, DeploySummary, ScaleStatus } from "@/api/types";
import { Complaints, glance, inspect, launch, picture } from "./browser";
import { type Change, type Environment, prepare } from "./environment";

/** Of a build and the rollout after it. */
const TIMEOUT_MS = 180_000;
const SETUP_TIMEOUT_MS = 300_000;

/** A freeze of it holds nothing else. */
const project = `dialogs-${randomBytes(4).toString("hex")}`;
const second = { title: "Say: Hello again.", commit: "", deploy: 0 };
const first = { commit: "", deploy: 0 };
const ids = { restart: 0, canceled: 0, hotfix: 0, failed: 0, rollback: 0 };

let environment: Environment;
let browser: Browser;
/** Whoever asks for the deploys. */
let page: Page;
/** Another owner, in a browser of their own. */
let other: Page;
let name = "";
let me = "";
const guest = `owner-of-${project}`;
const complaints = new Complaints();

const open = (to: string, on = page) => on.goto(`${environment.server}${to}`);
const dialogOf = (on = page) => on.getByRole("dialog");
const press = (words: string | RegExp, on = page) =>
  on.getByRole("button", { name: words, exact: true }).click();
const choose = (words: string | RegExp, on = page) =>
  dialogOf(on).getByRole("button", { name: words, exact: true }).click();
const field = (label: string, on = page) => dialogOf(on).getByLabel(label, { exact: true });
const closed = (on = page) => dialogOf(on).waitFor({ state: "detached" });
const region = (label: string, on = page) => on.getByRole("region", { name: label, exact: true });
/** A setting, by its heading. */
const setting = (label: string) =>
  page.locator("section").filter({ has: page.getByRole("heading", { name: label, exact: true }) });
const headline = (words: string | RegExp, on = page) =>
  on.getByRole("heading", { name: words, exact: true }).waitFor({ timeout: TIMEOUT_MS });

/** What the API says to whoever has signed in. */
const ask = <T>(path: string): Promise<T> =>
  page.evaluate(async (url) => (await fetch(url)).json(), `/api/v1${path}`);

async function change(what: Change): Promise<string> {
  if (environment.change === null) throw new Error("the repository is not ours");
  return environment.change(what);
}

async function newPage(): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: "light",
    reducedMotion: "reduce",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  context.setDefaultTimeout(30_000);
  complaints.listen(context);
  return context.newPage();
}

/** The deploy whose page a dialog has led to. */
async function begun(): Promise<number> {
  await page.waitForURL("**/deploys/*");
  return Number(new URL(page.url()).pathname.split("/").at(-1));
}

async function deploy(commit: string): Promise<number> {
  await open(`/workloads/${name}?deploy=${commit}`);
  await choose(/^Deploy [0-9a-f]{7}$/);
  return begun();
}

/** However it ends, this is how it was to end. */
async function ends(words: string) {
  const end = page.getByRole("heading", { name: /^Deploy (finished|failed|canceled|superseded)$/ });
  await end.waitFor({ timeout: TIMEOUT_MS });
  expect(await end.textContent()).toBe(words);
}

/** A push is seen by itself. */
async function arrives(title: string) {
  const commits = page.getByRole("table", { name: "Commits" });
  await commits.getByText(title, { exact: true }).waitFor({ timeout: 60_000 });
}

async function create() {
  await open("/workloads?create=true");
  await field("Code repository").fill(environment.repository);
  await field("Kubernetes config file").fill(environment.config);
  await choose("Read the repository");
  await dialogOf().getByText("This is what Hermez read.").waitFor();
  const title = await dialogOf().getByRole("heading").first().textContent();
  name = (title ?? "").replace(/^Create /, "");
  await choose(/^Create /);
  await page.waitForURL(`**/workloads/${name}`);
  const { items } = await ask<{ items: Commit[] }>(`/workloads/${name}/commits?branch=main`);
  first.commit = items[0]?.id ?? "";
}

async function letIn() {
  await open("/people");
  await press("Add a person or program");
  await field("Name").fill(guest);
  await dialogOf()
    .getByRole("radio", { name: /^Owner/ })
    .check();
  await choose(/^Add/);
  await choose("Make a sign-in link");
  await choose("Make the link");
  const link = await dialogOf()
    .getByText(/\/login\//)
    .textContent();
  await choose("I have copied it");
  await other.goto(link ?? "");
  await other.getByRole("button", { name: `You: ${guest}` }).waitFor();
}

beforeAll(async () => {
  environment = await prepare(project);
  if (environment.change === null) return;
  browser = await launch();
  [page, other] = [await newPage(), await newPage()];
  await page.goto(environment.loginUrl);
  const person = page.getByRole("button", { name: /^You: / });
  me = ((await person.getAttribute("aria-label")) ?? "").replace("You: ", "");
  await create();
  second.commit = await change({
    title: second.title,
    files: { "message.txt": () => "Hello again.\n" },
  });
  await letIn();
  first.deploy = await deploy(first.commit);
  await ends("Deploy finished");
  await open(`/workloads/${name}/commits`);
  await arrives(second.title);
  second.deploy = await deploy(second.commit);
  await ends("Deploy finished");
}, SETUP_TIMEOUT_MS);

beforeEach(({ skip }) => skip(environment.change === null, "the repository is not ours"));

afterEach(async ({ task }) => {
  if (task.result?.state !== "fail") return;
  await picture(page, "dialogs-failed");
  await picture(other, "dialogs-failed-other");
});

afterAll(async () => {
  await browser?.close();
  await environment?.close();
});

test("a number of pods that nobody means is refused in words", async () => {
  await open(`/workloads/${name}/scale`);
  await press("Scale by hand");
  await field("Reason").fill("A launch");
  const words = "A whole number from 0 to 10,000";
  for (const [pods, action] of [
    ["-1", "Scale"],
    ["10000000", "Scale to 10,000,000 pods"],
  ] as const) {
    await field("Pods").fill(pods);
    await dialogOf().getByText(words, { exact: true }).waitFor();
    const button = dialogOf().getByRole("button", { name: action, exact: true });
    expect(await button.isDisabled()).toBe(true);
  }
  await glance(page, "scale-refused");
  await page.keyboard.press("Escape");
  await closed();

  await press("Bounds");
  await field("Fewest pods").fill("-1");
  await field("Most pods").fill("10000000");
  await dialogOf().getByText(words, { exact: true }).nth(1).waitFor();
  await page.keyboard.press("Escape");
  await closed();
  await page.getByText("The config file says how many.").waitFor();
});

test("a number by hand holds until its end, and goes back to the config file", async () => {
  const scale = region("Scale");
  await press("Scale by hand");
  await field("Pods").fill("3");
  await field("Reason").fill("A launch");
  await field("How long it holds").selectOption("for");
  await field("For").fill("3h");
  await choose("Scale to 3 pods");
  await closed();
  await scale.getByText("A person says how many.").waitFor();
  await scale.getByText("3 of 3 pods ready").waitFor({ timeout: TIMEOUT_MS });
  await scale.getByText("“A launch”").waitFor();
  await scale.getByText("ends in 3 h").waitFor();
  const ledger = page.getByRole("table", { name: "Changes of the number of pods" });
  await ledger.getByText("2 → 3 pods").waitFor();
  const { owner, replicas, change: holds } = await ask<ScaleStatus>(`/workloads/${name}/scale`);
  expect({ owner, replicas }).toEqual({ owner: "person", replicas: 3 });
  expect(Date.parse(holds?.until ?? "")).toBeGreaterThan(Date.now() + 2 * 3_600_000);
  await inspect(page, "scale-by-hand");

  await press("Back to the config file");
  await field("Reason").fill("The launch is over");
  await choose("Back to the config file");
  await closed();
  await scale.getByText("The config file says how many.").waitFor();
  await scale.getByText("2 of 2 pods ready").waitFor({ timeout: TIMEOUT_MS });
});

test("an autoscaler is set with its behaviour, and taken away", async () => {
  const scale = region("Scale");
  await press("Autoscaling");
  await field("Fewest pods").fill("2");
  await field("Most pods").fill("5");
  await field("CPU to aim at").fill("60");
  await dialogOf().getByText("Behaviour: how fast it scales").click();
  const down = dialogOf().getByRole("group", { name: "Scaling down" });
  await down.getByLabel("Seconds of calm", { exact: true }).fill("30");
  await down.getByLabel("At most pods", { exact: true }).fill("1");
  await field("Reason").fill("Its load comes and goes");
  await glance(page, "scale-by-load");
  await choose("Scale by load");
  await closed();
  await scale.getByText("By load: 2 to 5 pods, 60 % CPU, own behaviour").waitFor();
  await scale.getByText("An autoscaler says how many.").waitFor();
  const { autoscaling } = await ask<ScaleStatus>(`/workloads/${name}/scale`);
  const policies = [{ type: "Pods", value: 1, periodSeconds: 60 }];
  expect(autoscaling).toMatchObject({
    min: 2,
    max: 5,
    cpu: 60,
    behavior: { scaleDown: { stabilizationWindowSeconds: 30, policies } },
  });

  await press("Back to the config file");
  await field("Reason").fill("Two are enough");
  await choose("Back to the config file");
  await closed();
  await scale.getByText("The config file says how many.").waitFor();
  await scale.getByText(/^By load/).waitFor({ state: "detached" });
});

test("a restart makes its pods anew", async () => {
  await open(`/workloads/${name}`);
  await press("More");
  await page.getByRole("menuitem", { name: "Restart…" }).click();
  await dialogOf().getByText("2 pods are replaced one after another.").waitFor();
  await field("Reason").fill("It has a cold");
  await glance(page, "restart-dialog");
  await choose(`Restart ${name}`);
  ids.restart = await begun();
  await ends("Deploy finished");
  await page.getByText("“It has a cold”").waitFor();
  const { kind, commit } = await ask<DeploySummary>(`/deploys/${ids.restart}`);
  expect({ kind, commit }).toEqual({ kind: "restart", commit: second.commit });
});

test("health gates are set, and shown", async () => {
  await open(`/workloads/${name}/settings`);
  await press("Change the gates");
  await field("Seconds that all pods stay ready").fill("6");
  await field("Most restarts").fill("2");
  await glance(page, "gates-dialog");
  await choose("Set the gates");
  await closed();
  const gates = setting("Health gates");
  await gates.getByText("All pods stay ready for 6 s.").waitFor();
  await gates.getByText("At most 2 restarts.").waitFor();
  await gates.getByText(`Set by ${me}`).waitFor();
});

test("a deploy is paused in its middle, and goes on when it is let", async () => {
  const id = await deploy(first.commit);
  await headline("Verifying");
  await press("Pause");
  await headline(`Paused by ${me}`);
  await region("Timeline").getByText(`${me} paused it`).first().waitFor();
  await inspect(page, "deploy-paused");
  const { state, paused_by } = await ask<DeploySummary>(`/deploys/${id}`);
  expect({ state, paused_by }).toEqual({ state: "verifying", paused_by: me });
  await press("Resume");
  await ends("Deploy finished");
});

test("a deploy is canceled", async () => {
  ids.canceled = await deploy(second.commit);
  await headline("Verifying");
  await press("Cancel the deploy");
  await ends("Deploy canceled");
  await page.getByRole("button", { name: "Cancel the deploy" }).waitFor({ state: "detached" });
});

test("health gates are taken away", async () => {
  await open(`/workloads/${name}/settings`);
  const gates = setting("Health gates");
  await gates.getByRole("button", { name: "Clear", exact: true }).click();
  await gates.getByText("Nothing is set. What holds without:").waitFor();
});

test("a canary waits for somebody's word, and is promoted", async () => {
  await press("Change the strategy");
  await choose("Add a step");
  const step = dialogOf().getByRole("group", { name: "canary 1" });
  await step.getByLabel("Percent of the pods", { exact: true }).fill("50");
  await step.getByLabel("Seconds to do well", { exact: true }).fill("1");
  await step.getByRole("checkbox", { name: "Wait for somebody" }).check();
  await glance(page, "strategy-dialog");
  await choose("Set the strategy");
  await closed();
  const strategy = setting("Rollout strategy");
  await strategy
    .getByText("Canary 1: 50 % of the pods, well for 1 s, then promoted by somebody")
    .waitFor();

  await deploy(first.commit);
  await headline("Canary waits to be promoted");
  await region("Its way").getByText("waits for your word").waitFor();
  await inspect(page, "deploy-canary");
  await press("Promote to all pods");
  await ends("Deploy finished");

  await open(`/workloads/${name}/settings`);
  await strategy.getByRole("button", { name: "Clear", exact: true }).click();
  await strategy.getByText("All pods at once, as the Deployment rolls them.").waitFor();
});

test("a lock is said to whoever else wants to deploy, until it is taken off", async () => {
  const lock = setting("Lock");
  await lock.getByRole("button", { name: "Lock", exact: true }).click();
  await field("Reason").fill("The database is being moved");
  await glance(page, "lock-dialog");
  await choose(`Lock ${name}`);
  await closed();
  await lock.getByText(`Locked by ${me}`).waitFor();
  await lock.getByText("“The database is being moved”").waitFor();

  await open(`/workloads/${name}?deploy=${second.commit}`, other);
  const waits = region("What it would wait for", other);
  await waits.getByText("It would be held").waitFor();
  await waits.getByText("Held by a lock:").waitFor();
  await waits.getByText("The database is being moved").waitFor();
  await glance(other, "deploy-dialog-locked");

  await lock.getByRole("button", { name: "Unlock" }).click();
  await lock.getByText("Not locked.").waitFor();
  await open(`/workloads/${name}?deploy=${second.commit}`, other);
  await dialogOf(other).getByText("1 commit comes in").waitFor();
  await waits.waitFor({ state: "detached" });
});

test("a freeze holds a deploy, which goes on by itself when the freeze is ended", async () => {
  const reason = `The holidays of ${project}`;
  await open("/freezes");
  await press("Create a freeze");
  await field("Reason").fill(reason);
  await field("Project").fill(project);
  await field("How long it holds").selectOption("for");
  await field("For").fill("2h");
  await choose(`Freeze project ${project}`);
  await closed();
  await page.getByRole("table", { name: "Freezes" }).getByText(reason).waitFor();

  await open(`/workloads/${name}?deploy=${second.commit}`);
  const waits = region("What it would wait for");
  await waits.getByText("Held by a freeze:").waitFor();
  await waits.getByText("allowed in 2 h").waitFor();
  await choose(/^Deploy [0-9a-f]{7}$/);
  await begun();
  await headline("Held by a freeze");
  const held = region("What it waits for");
  await held.getByText(reason).waitFor();
  await held.getByText("Goes on by itself in 2 h").waitFor();
  await inspect(page, "deploy-frozen");

  await open("/freezes", other);
  const row = other.getByRole("row").filter({ hasText: reason });
  await row.getByRole("button", { name: /^More for freeze/ }).click();
  await other.getByRole("menuitem", { name: /^End freeze/ }).click();
  await glance(other, "freeze-end");
  await choose(/^End freeze/, other);
  await closed(other);
  await ends("Deploy finished");
});

test("who asks for a deploy cannot approve it, and somebody else does", async () => {
  const approvals = setting("Approvals");
  await open(`/workloads/${name}/settings`);
  await press("Change the approvals");
  await field("How many").fill("1");
  await field("People who may approve").fill(guest);
  await glance(page, "approvals-dialog");
  await choose("Set the approvals");
  await closed();
  await approvals.getByText(`1 from ${guest}`).waitFor();

  const id = await deploy(first.commit);
  await headline("Waits for approval");
  const held = region("What it waits for");
  await held.getByText(`Waits for 1 of 1 approvals (from: ${guest})`).waitFor();
  await held.getByText("You asked for it, so others approve it.").waitFor();
  expect(await page.getByRole("button", { name: /^Approve/ }).count()).toBe(0);
  await inspect(page, "deploy-unapproved");

  await open(`/deploys/${id}`, other);
  await press(`Approve deploy ${id}`, other);
  await field("Comment", other).fill("Seen");
  await glance(other, "approve-dialog");
  await choose(`Approve deploy ${id}`, other);
  await closed(other);
  await ends("Deploy finished");

  await open(`/workloads/${name}/settings`);
  await press("Change the approvals");
  await choose("Clear");
  await closed();
  await approvals.getByText("none needed").waitFor();
});

test("a hotfix picks a commit of a branch onto what runs", async () => {
  const title = "Stop with a kinder word";
  const stops = (text: string) => text.replace('"stopping\\n"', '"good bye\\n"');
  await change({ title, files: { "server.pl": stops }, branch: "kinder" });
  await open(`/workloads/${name}/commits`);
  await page.getByLabel("Branch", { exact: true }).selectOption("kinder", { timeout: 60_000 });
  await arrives(title);
  await press("Hotfix");
  await dialogOf()
    .getByRole("checkbox", { name: new RegExp(title) })
    .check();
  await choose("See whether it fits");
  await region("What would be deployed").getByText("It fits on").waitFor();
  await glance(page, "hotfix-dialog");
  await choose("Deploy 1 commit as a hotfix");
  ids.hotfix = await begun();
  await ends("Deploy finished");
  await region("What the hotfix is made of").getByText("Picked onto").waitFor();
  const { kind, title: made, hotfix } = await ask<Deploy>(`/deploys/${ids.hotfix}`);
  expect({ kind, made, base: hotfix?.base_commit }).toEqual({
    kind: "hotfix",
    made: title,
    base: first.commit,
  });
  await glance(page, "hotfix");
});

const FAILING = "Forget the answer";

test("a deploy that fails says so within seconds", async () => {
  const commit = await change({
    title: FAILING,
    files: {
      "server.pl": () => 'print STDERR "cannot find the answer\\n";\nexit 3;\n',
      "service.yaml": (text) => text.replace("memory: 64Mi", "memory: 96Mi"),
    },
  });
  await open(`/workloads/${name}/commits`);
  await arrives(FAILING);
  ids.failed = await deploy(commit);
  await ends("Deploy failed");
  const seen = Date.now();
  const why = region("Why it failed");
  await why.getByText("Container crashes", { exact: true }).waitFor();
  const { started_at, finished_at } = await ask<DeploySummary>(`/deploys/${ids.failed}`);
  const [from, to] = [started_at, finished_at].map((at) => Date.parse(at ?? ""));
  expect((to ?? 0) - (from ?? 0)).toBeLessThan(45_000);
  expect(seen - (to ?? 0)).toBeLessThan(5_000);
  await inspect(page, "deploy-failed");
});

test("its receipt has all that one needs, and an address to hand on", async () => {
  await page.getByRole("link", { name: "See the receipt" }).click();
  const why = region("Why it failed");
  await why.getByText(/ended with exit code 3/).waitFor();
  await why.getByText("Next:").waitFor();
  const lines = page.getByRole("region", { name: /^Last lines of / }).first();
  await lines.getByText("cannot find the answer").first().waitFor();
  await page.getByRole("table", { name: "Kubernetes events" }).waitFor();
  const came = region("What came with it");
  await came.getByRole("region", { name: "Commits that come" }).getByText(FAILING).waitFor();
  await came.getByRole("region", { name: "Images", exact: true }).waitFor();
  await came
    .getByRole("region", { name: "Changes of the manifest" })
    .getByText(/^\+.*96Mi/)
    .first()
    .waitFor();
  await inspect(page, "receipt");

  await press("Copy the address of this receipt");
  await page.getByRole("button", { name: "Copied" }).waitFor();
  await page.keyboard.press("/");
  const search = page.getByPlaceholder("Search workloads, or type what to do");
  await search.press("Control+V");
  const copied = await search.inputValue();
  expect(copied).toBe(page.url());
  await other.goto(copied);
  await headline(/^Container crashes/, other);
});

test("one press in the receipt brings back what ran", async () => {
  await open(`/deploys/${ids.failed}/receipt`);
  await page.getByRole("link", { name: /^Roll back to [0-9a-f]{7}$/ }).click();
  await choose(/^Roll back to [0-9a-f]{7}$/);
  ids.rollback = await begun();
  await ends("Deploy finished");
  const { kind, of_deploy } = await ask<Deploy>(`/deploys/${ids.rollback}`);
  expect({ kind, of_deploy }).toEqual({ kind: "rollback", of_deploy: ids.hotfix });
  await open(`/deploys/${ids.failed}/receipt`);
  const why = region("Why it failed");
  await why.getByRole("link", { name: `deploy ${ids.rollback}` }).waitFor();
  expect(await page.getByRole("link", { name: /^Roll back to/ }).count()).toBe(0);
});

test("the history is filtered by kind and by state", async () => {
  await open(`/workloads/${name}/history`);
  const rows = page.getByRole("table", { name: "Deploys" }).locator("tbody tr[data-row]");
  const state = page.getByRole("combobox", { name: "State", exact: true });
  const kind = page.getByRole("combobox", { name: "Kind", exact: true });
  const shows = (id: number) =>
    expect
      .poll(async () => (await rows.allTextContents()).map((text) => /#\d+/.exec(text)?.[0]), {
        timeout: 10_000,
      })
      .toEqual([`#${id}`]);
  await rows.nth(2).waitFor();
  await state.selectOption("failed");
  await shows(ids.failed);
  await state.selectOption("canceled");
  await shows(ids.canceled);
  await kind.selectOption("restart");
  await page.getByText("No deploy passes these filters").waitFor();
  await press("Clear the filters");
  await rows.nth(2).waitFor();
  await kind.selectOption("restart");
  await shows(ids.restart);
  await kind.selectOption("rollback");
  await shows(ids.rollback);
  await kind.selectOption("hotfix");
  await shows(ids.hotfix);
  await kind.selectOption("");
  await rows.nth(2).waitFor();
});

test("two deploys of the history are compared", async () => {
  await press("Compare two deploys");
  for (const { deploy: id } of [second, first]) {
    await page.getByRole("checkbox", { name: `Compare deploy ${id}`, exact: true }).check();
  }
  const bar = region("Compare two deploys");
  await bar.getByText(`From #${first.deploy} to #${second.deploy}`).waitFor();
  await glance(page, "history-compare");
  const link = `Compare #${first.deploy} with #${second.deploy}`;
  await bar.getByRole("link", { name: link }).click();
  await headline(`From deploy ${first.deploy} to deploy ${second.deploy}`);
  for (const side of ["From", "To"]) {
    await region(side)
      .getByText(/^took \d/)
      .waitFor();
  }
  await region("Commits that come").getByText(second.title).waitFor();
  await region("Images").getByText(/→/).waitFor();
  await region("Manifest").waitFor();
  const path = `/deploys/${first.deploy}/compare/${second.deploy}`;
  const { from_took_ms, to_took_ms, coming } = await ask<DeployComparison>(path);
  expect(Math.min(from_took_ms ?? 0, to_took_ms ?? 0)).toBeGreaterThan(0);
  expect(coming.map((it) => it.id)).toEqual([second.commit]);
  await inspect(page, "compare");
});

test("nothing of it is left", async () => {
  await open(`/workloads/${name}/settings`);
  await press(`Delete ${name}`);
  await field("Type the workload's name to confirm").fill(name);
  await choose(`Delete ${name}`);
  await page.waitForURL("**/workloads");
  await page.getByRole("link", { name, exact: true }).waitFor({ state: "detached" });
  complaints.expectNone();
});
