// It stays calm: nothing moves by itself, and the page costs little, whatever lives.

import type { Page } from "@playwright/test";
import { expect, row, test } from "./test.ts";

/** Of one core. Twice what is wanted of a quiet machine, since others work beside it. */
const MOST_OF_A_CORE = 0.12;
const BYTES_PER_SECOND = 20_000;
const NODES = 5_000;
const SECONDS = 8;

interface Cost {
  nodes: number;
  core: number;
  bytesPerSecond: number;
}

/** What the page costs while nothing is done to it. */
async function costOf(page: Page, seconds = SECONDS): Promise<Cost> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.dataReceived", ({ dataLength }) => (bytes += dataLength));
  const read = async () => new Map((await session.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  const before = await read();
  bytes = 0;
  await page.waitForTimeout(seconds * 1_000);
  const after = await read();
  const core = (after.get("TaskDuration")! - before.get("TaskDuration")!) / seconds;
  const nodes = await page.evaluate(() => {
    const walker = document.createTreeWalker(document, NodeFilter.SHOW_ALL);
    let count = 1;
    while (walker.nextNode() !== null) count += 1;
    return count;
  });
  return { nodes, core, bytesPerSecond: bytes / seconds };
}

function cheap({ nodes, core, bytesPerSecond }: Cost): void {
  console.log(`${nodes} nodes, ${(100 * core).toFixed(1)} % of a core, ${Math.round(bytesPerSecond / 1_000)} kB/s`);
  expect(nodes).toBeLessThan(NODES);
  expect(core).toBeLessThan(MOST_OF_A_CORE);
  expect(bytesPerSecond).toBeLessThan(BYTES_PER_SECOND);
}

test("three hundred groups cost no more than those in sight", async ({ page, invented }) => {
  const process = await invented("groups=300&tasks=40");
  await page.goto(process.page);
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
  expect(sorted).toBeLessThan(400);
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await expect(row(page, "webhook")).toBeVisible();
  await page.evaluate(() => scrollTo(0, 0));
  await row(page, "flaky").or(page.locator("[data-row]")).first().focus();
  for (let presses = 0; presses < 60; presses += 1) await page.keyboard.press("ArrowDown");
  expect(await page.evaluate(() => document.activeElement?.matches("[data-row]"))).toBe(true);
  expect(await page.evaluate(() => scrollY)).toBeGreaterThan(300);
  const key = await page.evaluate(() => document.activeElement?.getAttribute("data-key"));
  await page.mouse.wheel(0, 4_000);
  await page.waitForTimeout(300);
  expect(await page.evaluate(() => document.activeElement?.getAttribute("data-key"))).toBe(key);
  await page.emulateMedia({ media: "print" });
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  await expect.poll(() => page.locator("tr.group").count()).toBeGreaterThan(300);
});

test("a long list of tasks costs little to watch", async ({ page, crowd }) => {
  const process = await crowd(100_000);
  const began = performance.now();
  await page.goto(`${process.page}?view=tasks`);
  await expect(row(page, "sleeper").first()).toBeVisible();
  expect(performance.now() - began).toBeLessThan(5_000);
  await page.waitForTimeout(2_000);
  cheap(await costOf(page));
});

test("nothing shifts and the focus is never lost under a hundred and fifty tasks a second", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=900");
  await page.addInitScript(() => {
    const shifts: number[] = [];
    Object.assign(globalThis, { shifts });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as (PerformanceEntry & { value: number; hadRecentInput: boolean })[]) if (!entry.hadRecentInput) shifts.push(entry.value);
    }).observe({ type: "layout-shift", buffered: true });
  });
  const shift = () => page.evaluate(() => (globalThis as unknown as { shifts: number[] }).shifts.reduce((sum, value) => sum + value, 0));
  for (const view of ["groups", "tasks", "finished", "lifetime"]) {
    await page.goto(`${process.page}?view=${view}`);
    await expect(page.locator("#main table, #main h1").last()).toBeVisible();
    await page.waitForTimeout(3_000);
    expect(await shift(), view).toBeLessThan(0.02);
  }
  await page.goto(`${process.page}?view=finished`);
  await page.locator("[data-key^=ended]").nth(5).focus();
  await page.keyboard.press("ArrowDown");
  for (let look = 0; look < 20; look += 1) {
    expect(await page.evaluate(() => document.activeElement?.matches("[data-key^=ended]"))).toBe(true);
    await page.waitForTimeout(150);
  }
  await process.dev("signal?name=SIGTERM");
  await expect(page.locator(".drain-head")).toBeVisible();
  await page.waitForTimeout(600);
  const before = await shift();
  await page.waitForTimeout(4_000);
  expect((await shift()) - before, "in the stop").toBeLessThan(0.02);
});
