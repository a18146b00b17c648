import type { Page } from "@playwright/test";
import type { Report, Summary } from "../src/wire.ts";
import { accessible, AWAY, clipboard, expect, extension, live, row, takenBack, test } from "./test.ts";

/** Each task left by `GET /` counts to 200 at this pace: about twenty seconds. */
const SHORT = ["--seconds-per-number", "0.1"];
/** A quarter of an hour: longer than any deadline here. */
const LONG = ["--seconds-per-number", "5"];
/** A deadline that no test reaches. */
const PATIENT = { DRAIN_TIMEOUT: "600s" };
const ALLOWED = { ALLOW_ACTIONS: "yes" };

test("a drain is watched from SIGTERM to its report, which stays when the process has gone", async ({ page, quickstart, watch, context }) => {
  watch.expect(AWAY);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const process = await quickstart(SHORT, { settings: PATIENT });
  await page.goto(`${process.page}?view=finished`);
  await expect(live(page)).toHaveText("0");
  await process.call("GET", "/", 5);
  await expect(live(page)).toHaveText("5");

  process.signal("SIGTERM");
  await expect(page.locator(".drain-head h1")).toHaveText("Draining · SIGTERM");
  await expect(page.getByRole("timer")).toContainText("deadline in");
  await expect(page.locator(".drain-done")).toContainText("of 5 tasks finished");
  await expect(row(page, "quickstart::print_numbers").first()).toContainText("%");
  await expect(page.locator(".drain canvas")).toBeVisible();
  await expect(page).toHaveTitle(/draining, \d left · quickstart/);

  await expect(page.locator(".drain-head h1")).toHaveText(/^Gone · drained in \d/, { timeout: 60_000 });
  expect(await process.ended()).toBe(0);
  await expect(page.locator(".drain-done")).toContainText("5 of 5 tasks finished");
  await expect(page.locator(".just-ended")).toContainText("quickstart::print_numbers completed after");
  await expect(page.locator(".deadline")).toContainText("exit code0");
  await expect(page.locator(".drain-bar")).toContainText(`pid ${process.pid} does not answer`);
  await page.getByRole("button", { name: "Copy as JSON" }).click();
  await expect.poll(() => clipboard(page)).toContain('"exit_code"');
  const report = JSON.parse(await clipboard(page)) as Report;
  expect(report).toMatchObject({ pid: process.pid, reason: "SIGTERM", result: "drained", exit_code: 0, abandoned_total: 0 });
  expect(report.ended.ok).toBe(5);
});

test("one click leaves the drain, and one returns", async ({ page, quickstart }) => {
  const process = await quickstart(LONG, { settings: PATIENT });
  await process.call("GET", "/", 3);
  await page.goto(process.page);
  await expect(live(page)).toHaveText("3");
  process.signal("SIGTERM");
  await expect(page.locator(".drain-head")).toBeVisible();
  await page.getByRole("link", { name: /^Tasks/ }).click();
  await expect(page.getByRole("table", { name: "Live tasks" })).toBeVisible();
  await page.getByRole("link", { name: /draining/ }).click();
  await expect(page.locator(".drain-head")).toBeVisible();
  await expect(page.locator(".drain-bar")).toContainText(`kill -INT ${process.pid}`);
  await expect(page.locator(".drain-bar")).toContainText("HEADCOUNT_ALLOW_ACTIONS=yes");
});

test("a second signal forces, and the report names what was abandoned", async ({ page, quickstart, watch }) => {
  watch.expect(AWAY);
  const process = await quickstart(LONG, { settings: PATIENT });
  await process.call("GET", "/", 2);
  await page.goto(process.page);
  await expect(live(page)).toHaveText("2");
  process.signal("SIGTERM");
  await expect(page.locator(".drain-head")).toBeVisible();
  // Two signals within 200 ms would be one.
  await updates(page, 1);
  process.signal("SIGINT");
  await expect(page.locator(".drain-head h1")).toHaveText("Gone · forced by SIGINT, 2 tasks abandoned");
  expect(await process.ended()).toBe(130);
  await expect(page.locator(".named h2")).toHaveText("Abandoned");
  await expect(page.locator(".drain-done")).toContainText("0 of 2 tasks finished");
  await expect(page.locator(".named")).toContainText("quickstart::print_numbers");
  await expect(page.locator(".deadline")).toContainText("exit code130");
});

test("force asks once, in place, with what it drops", async ({ page, quickstart, watch }) => {
  watch.expect(AWAY);
  const process = await quickstart(LONG, { settings: { ...ALLOWED, ...PATIENT } });
  await process.call("GET", "/", 4);
  await page.goto(process.page);
  await expect(live(page)).toHaveText("4");
  process.signal("SIGTERM");
  const button = page.getByRole("button", { name: "Force now" });
  await button.hover();
  const before = await button.boundingBox();
  await updates(page, 3);
  expect(await button.boundingBox()).toEqual(before);

  // A double click asks and takes back; it never forces.
  await button.dblclick();
  await expect(page.locator(".confirm-box")).toHaveCount(0);
  expect((await process.api<Summary>("summary")).shutdown?.forced_by).toBeNull();

  await button.click();
  await expect(page.locator(".confirm-question")).toContainText(/Drops 4 tasks: #\d+ quickstart::print_numbers, .* and 1 more/);
  await page.getByRole("button", { name: "Drop 4 tasks" }).click();
  await expect(page.locator(".drain-head h1")).toHaveText(/forced by API, 4 tasks abandoned/);
  expect(await process.ended()).toBe(1);
});

test("a task is cancelled and the deadline extended while draining", async ({ page, quickstart }) => {
  const process = await quickstart(LONG, { settings: { ...ALLOWED, ...PATIENT } });
  await process.call("GET", "/", 2);
  await page.goto(process.page);
  await expect(live(page)).toHaveText("2");
  process.signal("SIGTERM");
  const stop = async () => (await process.api<Summary>("summary")).shutdown!;
  const more = page.getByRole("button", { name: "Extend +30 s" });
  await expect(more).toBeEnabled();
  expect((await takenBack(extension(page), ["Extend +30 s"]))[1]).toBe("Not extended");
  expect((await stop()).budget_seconds).toBe(600);
  await more.click();
  await expect.poll(async () => (await stop()).budget_seconds).toBe(630);
  // The countdown has it too: it was half a minute less.
  await expect.poll(async () => Math.abs((await stop()).remaining_seconds! - (await remaining(page)))).toBeLessThan(10);
  await page.locator("tbody tr").first().getByRole("button", { name: /^Cancel/ }).click();
  await page.getByRole("button", { name: "Cancel task" }).click();
  await expect(page.locator(".just-ended")).toContainText("cancelled");
  await expect(page.locator(".drain-done")).toContainText("1 of 2 tasks finished");
});

test("the deadline is seen coming and passes", async ({ page, quickstart, watch }) => {
  watch.expect(AWAY);
  const process = await quickstart(LONG, { settings: { DRAIN_TIMEOUT: "12s" } });
  await process.call("GET", "/", 2);
  await page.goto(process.page);
  await expect(live(page)).toHaveText("2");
  // Looked for in each frame: it is there for the last quarter.
  const soon = page.waitForFunction(() => document.querySelector(".deadline")?.textContent.includes("deadline soon") === true && document.querySelector(".deadline-figure.late") !== null, undefined, { polling: "raf", timeout: 60_000 });
  process.signal("SIGTERM");
  await soon;
  await expect(page.locator(".drain-head h1")).toHaveText(/deadline passed, 2 tasks abandoned/);
  expect(await process.ended()).toBe(124);
});

test("after the end the next process brings the page back, and says that it is another", async ({ page, quickstart, watch }) => {
  watch.expect(AWAY);
  const process = await quickstart(LONG, { settings: { ...ALLOWED, ...PATIENT } });
  await process.call("GET", "/");
  await page.goto(`${process.page}?view=tasks`);
  await expect(live(page)).toHaveText("1");
  process.signal("SIGTERM");
  await expect(page.locator(".drain-head h1")).toHaveText("Draining · SIGTERM");
  await process.cancelAll();
  await expect(page.locator(".drain-head h1")).toHaveText(/^Gone · drained/);
  const next = await quickstart(SHORT, { admin: `127.0.0.1:${process.port}` });
  await expect(page.locator(".notice")).toContainText(`A new process answers: pid ${next.pid}`);
  await expect(page.locator(".notice")).toContainText(`pid ${process.pid} ended: drained in`);
  await expect(page.locator(".stage")).toContainText("running");
  await expect(page.locator(".controls")).toBeVisible();
});

test("a shutdown is begun from the page", async ({ page, quickstart, watch }) => {
  watch.expect(AWAY);
  const process = await quickstart(LONG, { settings: { ...ALLOWED, ...PATIENT } });
  await process.call("GET", "/");
  await page.goto(`${process.page}?view=lifetime`);
  await page.getByRole("button", { name: "Shut down…" }).click();
  await page.getByRole("button", { name: "Shut down", exact: true }).click();
  await expect(page.locator(".drain-head h1")).toHaveText(/^Draining · /);
  await process.cancelAll();
  await expect(page.locator(".drain-head h1")).toHaveText(/^Gone · drained/);
  expect(await process.ended()).toBe(0);
});

for (const theme of ["light", "dark"] as const) {
  test(`axe finds nothing in the drain nor after it, ${theme}`, async ({ page, quickstart, watch }) => {
    watch.expect(AWAY);
    test.setTimeout(400_000);
    const process = await quickstart(LONG, { settings: { ...ALLOWED, ...PATIENT } });
    await process.call("GET", "/", 4);
    await page.emulateMedia({ colorScheme: theme });
    await page.goto(process.page);
    await expect(live(page)).toHaveText("4");
    process.signal("SIGTERM");
    await expect(page.getByRole("button", { name: "Force now" })).toBeVisible();
    await accessible(page);
    await page.getByRole("button", { name: "Force now" }).click();
    await accessible(page);
    process.signal("SIGINT");
    await expect(page.locator(".drain-head h1")).toHaveText(/^Gone · forced/);
    await accessible(page);
  });
}

/** Seconds until the deadline, as the page has them. */
async function remaining(page: Page): Promise<number> {
  return Number(/(\d+) seconds$/.exec((await page.getByRole("timer").getAttribute("aria-label")) ?? "")?.[1]);
}

/** So many more drawn updates, counted by the seconds until the deadline that they show. */
async function updates(page: Page, more: number): Promise<void> {
  const first = await remaining(page);
  await expect.poll(() => remaining(page)).toBeLessThan(first - more);
}

