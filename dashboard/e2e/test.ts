// Every test fails on a console error, an uncaught exception or a breach of the content security policy.

import AxeBuilder from "@axe-core/playwright";
import { expect, type Locator, type Page, test as base } from "@playwright/test";
import { Invented } from "./invented.ts";
import { type Options, Process } from "./process.ts";

export interface Watch {
  /** What the browser complained of. */
  complaints: string[];
  /** From here on the process may be away: failed requests are no fault of the page. */
  expect: (what: RegExp) => void;
}

interface Fixtures {
  watch: Watch;
  /** All that a test has started; none outlives it. */
  processes: Process[];
  quickstart: (flags?: string[], options?: Options) => Promise<Process>;
  crowd: (size: number, options?: Options) => Promise<Process>;
  service: (flags?: string[], options?: Options) => Promise<Process>;
  incident: (options?: Options) => Promise<Process>;
  /** A process that is only invented; see `Invented.start`. */
  invented: (query?: string) => Promise<Invented>;
}

export const test = base.extend<Fixtures>({
  watch: [
    async ({ page }, use) => {
      const complaints: string[] = [];
      const expected: RegExp[] = [];
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error)));
      await page.addInitScript(() => {
        addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
      });
      await use({ complaints, expect: (what) => expected.push(what) });
      expect(complaints.filter((complaint) => !expected.some((what) => what.test(complaint)))).toEqual([]);
    },
    { auto: true },
  ],
  processes: async ({ page }, use) => {
    const started: Process[] = [];
    await use(started);
    // The page first: it would complain of the process that goes.
    await page.close();
    await Promise.all(started.map((process) => process.kill()));
  },
  quickstart: async ({ processes }, use) => {
    await use(async (flags = [], options = {}) => keep(processes, await Process.quickstart(flags, options)));
  },
  crowd: async ({ processes }, use) => {
    await use(async (size, options = {}) => keep(processes, await Process.crowd(size, options)));
  },
  service: async ({ processes }, use) => {
    await use(async (flags = [], options = {}) => keep(processes, await Process.service(flags, options)));
  },
  incident: async ({ processes }, use) => {
    await use(async (options = {}) => keep(processes, await Process.incident(options)));
  },
  invented: async ({ page }, use) => {
    const started: Invented[] = [];
    await use(async (query = "incident=yes") => {
      const invented = await Invented.start(query);
      started.push(invented);
      return invented;
    });
    await page.close();
    await Promise.all(started.map((invented) => invented.close()));
  },
});

/** A layout follows the size of the window within two frames. */
export async function resize(page: Page, width: number, height = 844): Promise<void> {
  await page.setViewportSize({ width, height });
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

/** Nothing is wider than the window. */
export async function unscrolled(page: Page, what: string): Promise<void> {
  await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth - innerWidth), what).toBeLessThanOrEqual(0);
}

/** What was copied; a click on a button that copies does not wait for it. */
export function clipboard(page: Page): Promise<string> {
  return page.evaluate(() => navigator.clipboard.readText());
}

/** The deadline's group of buttons. */
export function extension(page: Page): Locator {
  return page.getByRole("group", { name: "Extend the deadline" });
}

/**
 * Extends by these and takes it back, all in the page: *Undo* is there for two seconds, which a slow machine
 * may need for a single click. What the group said before and after.
 */
export function takenBack(group: Locator, labels: string[]): Promise<string[]> {
  return group.evaluate(async (element, wanted) => {
    const said = () => element.querySelector(".extend-note")!.textContent;
    const undo = () => element.querySelector<HTMLButtonElement>(".link");
    const frame = () => new Promise(requestAnimationFrame);
    for (const label of wanted) [...element.querySelectorAll<HTMLButtonElement>("button:not(.link)")].find((button) => button.ariaLabel?.startsWith(label))!.click();
    while (undo() === null) await frame();
    const before = said();
    undo()!.focus();
    if (document.activeElement !== undo()) return [before, "Undo takes no focus"];
    undo()!.click();
    while (undo() !== null) await frame();
    return [before, said()];
  }, labels);
}

function keep(started: Process[], process: Process): Process {
  started.push(process);
  return process;
}

/** What the browser says when the process is away. */
export const AWAY = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED|ERR_CONNECTION_CLOSED|ERR_CONTENT_LENGTH_MISMATCH/;

export { expect };

/** No breach that axe calls serious or worse; contrast included. */
export async function accessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]).analyze();
  const found = violations.flatMap(({ id, impact, nodes }) => nodes.map((node) => `${impact} ${id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ""}`));
  expect(found).toEqual([]);
}

export function row(page: Page, name: string | RegExp) {
  return page.locator("tbody tr").filter({ has: page.locator("[data-row]").filter({ hasText: name }) });
}

/** The number of live tasks, as the top line has it. */
export function live(page: Page) {
  return page.locator(".figures dd").first();
}
