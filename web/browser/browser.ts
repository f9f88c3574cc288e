/** A real Chromium, and what every page must fulfil in it. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { expect } from "vitest";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const SIZES = [
  { width: 1440, height: 900 },
  { width: 1024, height: 768 },
  { width: 390, height: 844 },
];

export type Theme = "light" | "dark";

/** Starts a browser with a profile of its own, which is gone afterwards. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: FLAGS,
  });
}

/** What the browser complained about: errors of scripts, and breaches of the security policy. */
export class Complaints {
  private readonly list: string[] = [];

  listen(context: BrowserContext) {
    context.on("weberror", (error) => this.list.push(String(error.error())));
    context.on("console", (message) => {
      // A refused request (401, 404) is the server's word, not the page's fault.
      const refused = message.text().startsWith("Failed to load resource");
      if (message.type() === "error" && !refused) this.list.push(message.text());
    });
  }

  expectNone() {
    expect(this.list).toEqual([]);
  }
}

/** No violation of axe's rules, in words that lead to the place. */
export async function expectAccessible(page: Page, where: string) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const words = violations.map((it) => {
    const nodes = it.nodes.slice(0, 3).map((node) => node.html.slice(0, 200));
    return `${where}: ${it.id}: ${it.help}\n  ${nodes.join("\n  ")}`;
  });
  expect(words).toEqual([]);
}

/** Nothing makes the page wider than the window. */
export async function expectFits(page: Page, where: string) {
  const over = await page.evaluate(() => {
    const content = document.getElementById("content");
    const inner = content ? content.scrollWidth - content.clientWidth : 0;
    return Math.max(inner, document.documentElement.scrollWidth - window.innerWidth);
  });
  expect(over, `${where} is ${over} px too wide`).toBeLessThanOrEqual(0);
}

/** Waits until nothing on the page stands for what is still to come. */
export async function settled(page: Page) {
  await page.waitForFunction(() => document.querySelector(".skeleton") === null);
}

/** Keeps a picture of the page, where pictures are wanted. */
export async function picture(page: Page, name: string) {
  const folder = process.env.HERMEZ_SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

interface Look {
  theme: Theme;
  size: (typeof SIZES)[number];
}

const THEMES: readonly Theme[] = ["light", "dark"];
const EVERY: readonly Look[] = THEMES.flatMap((theme) => SIZES.map((size) => ({ theme, size })));

/** Looks at a page in both themes and, for pictures, in all sizes. */
export async function inspect(page: Page, name: string, looks = EVERY) {
  await settled(page);
  const before = page.viewportSize() ?? { width: 1440, height: 900 };
  for (const { theme, size } of looks) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.waitForSelector(`html[data-theme=${theme}]`);
    await page.setViewportSize(size);
    const where = `${name} (${theme}, ${size.width})`;
    await expectFits(page, where);
    if (size.width !== 1024) await expectAccessible(page, where);
    await picture(page, `${name}-${theme}-${size.width}`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(before);
}

/** Looks at a dialog once in each theme, wide and narrow: much of it every dialog has. */
export async function glance(page: Page, name: string) {
  const looks = EVERY.filter(({ theme, size }) => size.width === (theme === "light" ? 1440 : 390));
  await inspect(page, name, looks);
}
