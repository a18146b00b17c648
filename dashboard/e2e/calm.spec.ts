// It stays calm: nothing moves by itself, and the page costs little, whatever lives.

import type { CDPSession, Page } from "@playwright/test";
import { paceOf } from "./pace.ts";
import { AWAY, expect, row, test } from "./test.ts";

/** Of one core of the reference: what the processor did for the page, in all threads of its process. */
const MOST_OF_A_CORE = 0.06;
const BYTES_PER_SECOND = 20_000;
const NODES = 5_000;
const SECONDS = 8;
/** In milliseconds, on the reference. */
const FIRST_ROW = 1_000;
const SORTED = 400;
const TASKS = Number(process.env["CROWD"] ?? 100_000);

interface Cost {
  nodes: number;
  core: number;
  most: number;
  bytesPerSecond: number;
}

/** Seconds of processor time that the browser's pages have taken; there is one page. */
async function taken(session: CDPSession): Promise<number> {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  return processInfo.filter(({ type }) => type === "renderer").reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

/** What the page costs while nothing is done to it. */
async function costOf(page: Page, seconds = SECONDS): Promise<Cost> {
  const session = await page.context().newCDPSession(page);
  const browser = await page.context().browser()!.newBrowserCDPSession();
  const pace = async () => (await paceOf(page)).processor;
  const first = await pace();
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.dataReceived", ({ dataLength }) => (bytes += dataLength));
  const [before, began] = [await taken(browser), performance.now()];
  bytes = 0;
  await page.waitForTimeout(seconds * 1_000);
  const core = ((await taken(browser)) - before) / ((performance.now() - began) / 1_000);
  const nodes = await page.evaluate(() => {
    const walker = document.createTreeWalker(document, NodeFilter.SHOW_ALL);
    let count = 1;
    while (walker.nextNode() !== null) count += 1;
    return count;
  });
  const most = MOST_OF_A_CORE * Math.max(first, await pace());
  return { nodes, core, most, bytesPerSecond: bytes / seconds };
}

function cheap({ nodes, core, most, bytesPerSecond }: Cost): void {
  console.log(`${nodes} nodes, ${(100 * core).toFixed(1)} % of a core, where ${(100 * most).toFixed(1)} % are allowed, ${Math.round(bytesPerSecond / 1_000)} kB/s`);
  expect(nodes).toBeLessThan(NODES);
  expect(core).toBeLessThan(most);
  expect(bytesPerSecond).toBeLessThan(BYTES_PER_SECOND);
}

test("three hundred groups cost no more than those in sight", async ({ page, invented }) => {
  const program = await invented("groups=300&tasks=40");
  await page.goto(program.page);
  await expect(page.getByRole("table", { name: "Groups" })).toHaveAttribute("aria-rowcount", /^3\d\d$/);
  await page.waitForTimeout(2_000);
  cheap(await costOf(page));
  // All of them are there: by scrolling, by the arrows, sorted at once, and on paper.
  const sorted = await page.evaluate(async () => {
    const began = performance.now();
    document.querySelector<HTMLElement>("th .sort")?.click();
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    return performance.now() - began;
  });
  expect(sorted).toBeLessThan(SORTED * (await paceOf(page)).machine);
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await expect(row(page, "webhook")).toBeVisible();
  await page.evaluate(() => scrollTo(0, 0));
  await row(page, "flaky").or(page.locator("[data-row]")).first().focus();
  for (let presses = 0; presses < 60; presses += 1) await page.keyboard.press("ArrowDown");
  expect(await page.evaluate(() => document.activeElement?.matches("[data-row]"))).toBe(true);
  await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(300);
  const key = await page.evaluate(() => document.activeElement?.getAttribute("data-key"));
  await page.mouse.wheel(0, 4_000);
  await page.waitForTimeout(300);
  expect(await page.evaluate(() => document.activeElement?.getAttribute("data-key"))).toBe(key);
  await page.emulateMedia({ media: "print" });
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await expect.poll(() => page.locator("tr.group").count()).toBeGreaterThan(300);
});

test("a long list of tasks costs little to watch", async ({ page, crowd }) => {
  test.setTimeout(400_000);
  const program = await crowd(TASKS);
  // The best of a few: whatever else the machine does may delay one of them.
  const loads: number[] = [];
  while (loads.length < 8 && !(Math.min(...loads) < FIRST_ROW)) loads.push((await firstRow(page, `${program.page}?view=tasks`)) / (await paceOf(page)).machine);
  console.log(`first row after ${loads.map(Math.round).join(", ")} ms of the reference`);
  expect(Math.min(...loads)).toBeLessThan(FIRST_ROW);
  for (const view of ["tasks", "groups"]) {
    await page.goto(`${program.page}?view=${view}`);
    await expect(row(page, "sleeper").first()).toBeVisible();
    await page.waitForTimeout(2_000);
    cheap(await costOf(page));
  }
});

/** Milliseconds from the navigation until a row is painted. */
async function firstRow(page: Page, address: string): Promise<number> {
  await page.goto("about:blank");
  await page.goto(address);
  const found = await page.waitForFunction(() => {
    if (document.querySelector("tbody [data-row]") === null) return null;
    return new Promise<number>((resolve) => requestAnimationFrame(() => setTimeout(() => resolve(performance.now()))));
  });
  return (await found.jsonValue()) ?? NaN;
}

test("nothing shifts under a hundred and fifty tasks a second", async ({ page, invented }) => {
  const program = await invented("incident=yes&tasks=900&budget=250");
  await page.addInitScript(() => {
    const shifts: number[] = [];
    Object.assign(globalThis, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[]) if (!entry.hadRecentInput) shifts.push(entry.value);
    }).observe({ type: "layout-shift", buffered: true });
  });
  const shift = () => page.evaluate(() => (globalThis as unknown as { shifts: number[] }).shifts.reduce((sum, value) => sum + value, 0));
  for (const view of ["groups", "tasks", "finished", "lifetime"]) {
    await page.goto(`${program.page}?view=${view}`);
    await expect(page.locator("#main table, #main h1").last()).toBeVisible();
    await page.waitForTimeout(3_000);
    expect(await shift(), view).toBeLessThan(0.02);
  }
  await program.dev("signal?name=SIGTERM");
  await expect(page.locator(".drain-head")).toBeVisible();
  await page.waitForTimeout(600);
  const before = await shift();
  await page.waitForTimeout(4_000);
  expect((await shift()) - before, "in the stop").toBeLessThan(0.02);
});

/** A control in each list that changes most, and what a key does to it. */
const LISTS = [
  { view: "finished", row: "[data-key^=ended]" },
  { view: "tasks&order=asc", row: "[data-key^=task]" },
  { view: "tasks&as=tree", row: "[data-key^=task]" },
  { view: "groups&sort=rate", row: "[data-key^=group]" },
];

test("the focus is never lost under a hundred and fifty tasks a second", async ({ page, invented, watch }) => {
  watch.expect(AWAY);
  const program = await invented("incident=yes&tasks=900&budget=250");
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-key") ?? document.activeElement?.tagName ?? "nothing");
  const stays = async (what: string) => {
    const key = await focused();
    for (let look = 0; look < 20; look += 1) {
      expect(await focused(), what).toBe(key);
      await page.waitForTimeout(150);
    }
  };
  for (const { view, row: rows } of LISTS) {
    await page.goto(`${program.page}?view=${view}`);
    await page.locator(rows).nth(5).focus();
    await page.keyboard.press("ArrowDown");
    expect(await page.evaluate((selector) => document.activeElement?.matches(selector), rows), view).toBe(true);
    await stays(view);
  }
  // In a stop: on a row, on what has just ended, and when the table is taken away by the end.
  await program.dev("signal?name=SIGTERM");
  await expect(page.locator(".stop [data-row]").nth(6)).toBeVisible();
  await page.locator(".stop [data-row]").nth(5).focus();
  await page.keyboard.press("ArrowDown");
  await stays("in the stop");
  await page.locator(".just-ended a").nth(2).focus();
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Tab");
  const shown = await page.locator(".just-ended").textContent();
  await page.waitForTimeout(2_500);
  expect(await page.locator(".just-ended").textContent()).toBe(shown);
  await page.locator(".stop [data-row]").nth(2).focus();
  await program.dev("signal?name=SIGINT");
  await expect(page.locator("h1")).toHaveText(/^Gone/);
  await expect.poll(focused).toBe("MAIN");
});
