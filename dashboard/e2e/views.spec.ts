import type { FinishedTask, Page } from "../src/wire.ts";
import { accessible, expect, live, row, test, unscrolled } from "./test.ts";

const BUSY = ["--load", "15", "--seconds-per-number", "0.2"];

test("the groups, and the tasks of one opened in place", async ({ page, quickstart }) => {
  const process = await quickstart(BUSY);
  await page.goto(process.page);
  await expect(page.locator(".service")).toHaveText("quickstart");
  await expect(row(page, "send-email").first()).toContainText("provider=");
  await expect(page.locator(".stage")).toContainText("running");
  await expect(page).toHaveTitle(/live · quickstart/);

  await row(page, "push-notification").locator("[data-row]").click();
  await expect(page.locator(".group-inside")).toContainText("spawned");
  await expect(page.locator(".group-inside")).toContainText("examples/quickstart.rs");
  await expect(page).toHaveURL(/open=\d+/);
  await page.keyboard.press("Escape");
  await expect(page.locator(".group-inside")).toHaveCount(0);
});

test("figures change by themselves, and survive another view and a reload", async ({ page, quickstart }) => {
  const process = await quickstart(BUSY);
  await page.goto(process.page);
  const spawned = page.locator(".facts > div").first();
  await row(page, "push-notification").locator("[data-row]").click();
  const before = await spawned.textContent();
  await expect(spawned).not.toHaveText(before ?? "");

  await page.keyboard.press("l");
  await expect(page.locator("h1")).toHaveText("What can end this process");
  await page.keyboard.press("g");
  await expect(page.locator(".trace canvas")).toHaveCount(4);
  await page.reload();
  await expect(page.locator(".trace-now").first()).not.toHaveText("–");
  expect((await process.api<{ live: number[] }>("trends")).live.length).toBeGreaterThan(0);
});

test("finished tasks with outcome, filtered, and opened", async ({ page, quickstart }) => {
  const process = await quickstart(["--seconds-per-number", "0.001"]);
  await process.call("GET", "/");
  await process.call("POST", "/signup", 5);
  await page.goto(`${process.page}?view=finished`);
  await expect(row(page, "quickstart::print_numbers")).toContainText("ok");
  await row(page, "quickstart::print_numbers").locator("[data-row]").click();
  await expect(page.locator(".finished-inside")).toContainText("busy");
  await page.getByRole("button", { name: "cancelled" }).click();
  await expect(page).toHaveURL(/outcome=cancelled/);
  await expect(page.locator(".empty-title")).toHaveText("No remembered task ended like that.");
});

test("one task, alive and then ended", async ({ page, quickstart }) => {
  const process = await quickstart(["--seconds-per-number", "0.1"]);
  await page.goto(`${process.page}?view=tasks`);
  await expect(live(page)).toHaveText("0");
  await process.call("GET", "/");
  await row(page, "quickstart::print_numbers").locator("[data-row]").click();
  await expect(page.locator("h1")).toContainText("quickstart::print_numbers");
  await expect(page.locator(".one-age")).toContainText("alive for");
  await expect(page.locator(".one-age")).toContainText("took", { timeout: 60_000 });
  await expect(page.locator(".one-state")).toContainText("ok");
  await page.keyboard.press("Escape");
  await expect(page).toHaveURL(/view=tasks/);
});

test("the page of an ended task stays when the history has dropped it", async ({ page, invented, watch }) => {
  watch.expect(/404/);
  const process = await invented("tasks=20");
  const { items } = await process.api<Page<FinishedTask>>("finished?limit=1");
  const { id } = items[0]!;
  let dropped = false;
  await page.route(`**/api/v1/tasks/${id}`, (route) => (dropped ? route.fulfill({ status: 404 }) : route.continue()));
  await page.goto(`${process.page}?view=task&task=${id}`);
  await expect(page.locator(".one-age")).toContainText("took");
  dropped = true;
  await expect(page.locator(".one")).toContainText("The history does not hold it any more.");
  await expect(page.locator(".one-age")).toContainText("took");
});

test("what can end the process", async ({ page, quickstart }) => {
  const process = await quickstart([], { settings: { DRAIN_TIMEOUT: "40s", PLATFORM_GRACE: "60s" } });
  await page.goto(`${process.page}?view=lifetime`);
  await expect(page.locator(".sentences li").first()).toContainText("SIGTERM");
  await expect(page.locator(".moments")).toContainText("40 s The deadline");
  await expect(page.locator(".moments")).toContainText("1 m The platform kills it");
  await expect(page.locator(".lifetime")).toContainText(String(process.pid));
  await expect(page.locator(".lifetime")).toContainText("read-only");
});

test("an empty page teaches", async ({ page, quickstart, watch }) => {
  watch.expect(/404/);
  const process = await quickstart();
  await page.goto(process.page);
  await expect(page.locator(".empty-title")).toHaveText("No task has been spawned through headcount yet.");
  await expect(page.locator(".code")).toContainText(".spawn(");
  await page.goto(`${process.page}?view=task&task=999`);
  await expect(page.locator(".empty-title")).toContainText("#999 is not alive");
});

test("the keyboard goes everywhere", async ({ page, quickstart }) => {
  const process = await quickstart(BUSY);
  await page.goto(process.page);
  await expect(row(page, "thumbnail")).toHaveCount(1);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toContainText("Reading this page");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);

  await page.keyboard.press("/");
  await page.keyboard.type("thumb");
  await expect(page.locator("tr.group")).toHaveCount(1);
  await expect(page).toHaveURL(/q=thumb/);
  await page.keyboard.press("Escape");
  await expect(page.locator("tr.group").nth(2)).toBeVisible();
  await page.keyboard.press("Escape");

  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await expect(page.locator("tr.group").first()).toHaveClass(/open/);
  await page.keyboard.press("t");
  await expect(page.getByRole("table", { name: "Live tasks" })).toBeVisible();
  await page.keyboard.press("f");
  await expect(page).toHaveURL(/view=finished/);
});

test("the theme follows the system until it is switched, and the switch is remembered", async ({ page, quickstart }) => {
  const process = await quickstart();
  await page.emulateMedia({ colorScheme: "dark" });
  await page.goto(process.page);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.getByRole("button", { name: "Switch to light" }).click();
  await expect.poll(ground).not.toBe(dark);
  const light = await ground();
  await page.reload();
  await expect(page.getByRole("button", { name: "Switch to dark" })).toBeVisible();
  await expect.poll(ground).toBe(light);
});

for (const theme of ["light", "dark"] as const) {
  test(`axe finds nothing in any view, ${theme}`, async ({ page, quickstart }) => {
    test.setTimeout(400_000);
    const process = await quickstart(["--seconds-per-number", "5"], { settings: { ALLOW_ACTIONS: "yes" } });
    await process.call("POST", "/signup", 8);
    await process.call("GET", "/", 3);
    await page.emulateMedia({ colorScheme: theme });
    await page.goto(process.page);
    await row(page, "quickstart::print_numbers").locator("[data-row]").click();
    await expect(page.locator(".group-inside table")).toBeVisible();
    await accessible(page);
    for (const view of ["tasks", "finished", "lifetime"]) {
      await page.goto(`${process.page}?view=${view}`);
      await expect(page.locator("#main table, #main h1").first()).toBeVisible();
      await accessible(page);
    }
    const { items } = await process.api<{ items: { id: number }[] }>("finished?limit=1");
    await page.goto(`${process.page}?view=task&task=${items[0]?.id}`);
    await expect(page.locator(".one")).toBeVisible();
    await accessible(page);
    await page.keyboard.press("?");
    await accessible(page);
  });
}

test("nothing moves as figures change", async ({ page, quickstart }) => {
  const process = await quickstart(BUSY);
  await process.call("GET", "/");
  await page.goto(process.page);
  await expect(page.locator("tr.group")).toHaveCount(6);
  const spawned = async () => (await process.api<{ spawned: number }>("summary")).spawned;
  // Where each stands, and the warnings: one that comes or goes, as on a starved machine, takes its room.
  const look = () =>
    page.evaluate(() => {
      const places = [...document.querySelectorAll(".figures > div, .nav a, .search, .trace, tbody tr, th, td")].map((element) => {
        const { x, y, width, height } = element.getBoundingClientRect();
        return [element.tagName, x, y, width, height].join(" ");
      });
      const warnings = [...document.querySelectorAll("tr.group .row-mark, tr.warning")].map(({ className }) => className);
      return { places, warnings: warnings.join() };
    });
  for (;;) {
    const before = await look();
    const heard = await spawned();
    await expect.poll(spawned).toBeGreaterThan(heard + 120);
    const after = await look();
    if (after.warnings !== before.warnings) continue;
    expect(after.places).toEqual(before.places);
    break;
  }
});

for (const width of [390, 900, 1440]) {
  test(`nothing is wider than a window of ${width}`, async ({ page, quickstart }) => {
    const process = await quickstart(BUSY);
    await page.setViewportSize({ width, height: 800 });
    for (const view of ["groups", "tasks", "finished", "lifetime"]) {
      await page.goto(`${process.page}?view=${view}`);
      await expect(page.locator("#main table, #main h1").first()).toBeVisible();
      await unscrolled(page, view);
    }
  });
}
