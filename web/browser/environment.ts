/**
 * What the browser tests need from outside: a server, a link that signs in, and a repository with a
 * config file. Either they are given (HERMEZ_LOGIN_URL, HERMEZ_REPOSITORY, HERMEZ_CONFIG), or they
 * are made with the `hermez` binary and the forge that `cargo xtask test` names.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const SAMPLE = fileURLToPath(new URL("../../examples/hello", import.meta.url));

/** A commit of the sample. */
export interface Change {
  title: string;
  /** What becomes of each file. */
  files: Record<string, (before: string) => string>;
  /** A new branch, which begins where `main` stands; `main` itself when absent. */
  branch?: string;
}

export interface Environment {
  /** The server, without a slash at the end. */
  server: string;
  loginUrl: string;
  repository: string;
  config: string;
  /** Pushes a change of the sample's message; null where the repository is not ours. */
  push: ((message: string) => Promise<void>) | null;
  /** Pushes any change, and gives its commit's id; null where the repository is not ours. */
  change: ((change: Change) => Promise<string>) | null;
  /** Makes another link that signs in; null where one was given. */
  anotherLink: (() => Promise<string>) | null;
  /** Opens a pull request with another message; null where the repository is not ours. */
  openPull: ((message: string) => Promise<number>) | null;
  close: () => Promise<void>;
}

function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; browser/README.md says what the tests need`);
  return value;
}

/** Where it is made here, the sample is of this project. */
export async function prepare(project = "examples"): Promise<Environment> {
  const server = need("HERMEZ_URL").replace(/\/$/, "");
  if (process.env.HERMEZ_LOGIN_URL) {
    return {
      server,
      loginUrl: process.env.HERMEZ_LOGIN_URL,
      repository: need("HERMEZ_REPOSITORY"),
      config: need("HERMEZ_CONFIG"),
      push: null,
      change: null,
      anotherLink: null,
      openPull: null,
      close: async () => {},
    };
  }
  const loginUrl = await loginLink(server);
  const forge = await Forge.open(project);
  return {
    server,
    loginUrl,
    repository: forge.repository,
    config: "service.yaml",
    push: (message) => forge.push(message),
    change: (change) => forge.change(change),
    anotherLink: () => loginLink(server),
    openPull: (message) => forge.openPull(message),
    close: () => forge.close(),
  };
}

async function loginLink(server: string): Promise<string> {
  const { stdout } = await run(need("HERMEZ_BIN"), ["login-link", "--output", "json"], {
    env: { ...process.env, HERMEZ_SERVER: server, HERMEZ_TOKEN_FILE: need("HERMEZ_TOKEN_FILE") },
  });
  return (JSON.parse(stdout) as { url: string }).url;
}

/** A repository of our own in the local forge, with the sample under a name of its own. */
class Forge {
  private constructor(
    readonly repository: string,
    private readonly api: string,
    private readonly headers: Record<string, string>,
    private readonly folder: string,
  ) {}

  static async open(project: string): Promise<Forge> {
    const base = need("HERMEZ_FORGE_URL").replace(/\/$/, "");
    const user = need("HERMEZ_FORGE_USER");
    const token = (await readFile(need("HERMEZ_FORGE_TOKEN_FILE"), "utf8")).trim();
    const name = `browser-${randomBytes(4).toString("hex")}`;
    const headers = { Authorization: `token ${token}`, "Content-Type": "application/json" };
    const made = await fetch(`${base}/api/v1/user/repos`, {
      method: "POST",
      headers,
      body: JSON.stringify({ name, private: false, default_branch: "main", auto_init: false }),
    });
    if (!made.ok) throw new Error(`the forge answered ${made.status}: ${await made.text()}`);

    const folder = await mkdtemp(join(tmpdir(), "hermez-browser-"));
    await cp(SAMPLE, folder, { recursive: true });
    const config = join(folder, "service.yaml");
    const sample = (await readFile(config, "utf8")).replaceAll("hello", name);
    await writeFile(config, sample.replace(/^( +project:) .*$/m, `$1 ${project}`));
    const repository = `${base}/${user}/${name}.git`;
    const forge = new Forge(repository, `${base}/api/v1/repos/${user}/${name}`, headers, folder);
    const secret = Buffer.from(`${user}:${token}`).toString("base64");
    await forge.git("init", "--quiet", "--initial-branch=main");
    await forge.git("config", "user.name", "Euccas Chen");
    await forge.git("config", "user.email", "euccas@example.org");
    await forge.git("config", "http.extraHeader", `Authorization: Basic ${secret}`);
    await forge.git("remote", "add", "origin", repository);
    await forge.push("Hello from a browser.");
    return forge;
  }

  async push(message: string): Promise<void> {
    await this.change(saying(message));
  }

  async change({ title, files, branch = "main" }: Change): Promise<string> {
    if (branch !== "main") await this.git("switch", "--quiet", "--create", branch);
    for (const [file, edit] of Object.entries(files)) {
      const path = join(this.folder, file);
      await writeFile(path, edit(await readFile(path, "utf8")));
    }
    await this.git("add", "--all");
    await this.git("commit", "--quiet", "--message", title);
    const commit = await this.git("rev-parse", "HEAD");
    await this.git("push", "--quiet", "origin", branch);
    if (branch !== "main") await this.git("switch", "--quiet", "main");
    return commit;
  }

  async openPull(message: string): Promise<number> {
    await this.change({ ...saying(message), branch: "banner" });
    const opened = await fetch(`${this.api}/pulls`, {
      method: "POST",
      headers: this.headers,
      body: JSON.stringify({ title: message, head: "banner", base: "main" }),
    });
    if (!opened.ok) throw new Error(`the forge answered ${opened.status}: ${await opened.text()}`);
    return ((await opened.json()) as { number: number }).number;
  }

  async close(): Promise<void> {
    await fetch(this.api, { method: "DELETE", headers: this.headers });
    await rm(this.folder, { recursive: true, force: true });
  }

  private async git(...args: string[]): Promise<string> {
    const { stdout } = await run("git", args, { cwd: this.folder });
    return stdout.trim();
  }
}

/** Another message of the sample. */
const saying = (message: string): Change => ({
  title: `Say: ${message}`,
  files: { "message.txt": () => `${message}\n` },
});
