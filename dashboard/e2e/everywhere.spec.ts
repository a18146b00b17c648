// Every view, at every width, in both themes: nothing inaccessible, nothing wider than its window, no key
// figure cut.

import type { Page } from "@playwright/test";
import type { Page as Paged, Task } from "../src/wire.ts";
import type { Invented } from "./invented.ts";
import { accessible, AWAY, expect, resize, row, test, unscrolled } from "./test.ts";

const WIDTHS = [1440, 900, 720, 390, 320];

async function fits(page: Page, what: string): Promise<void> {
  for (const width of WIDTHS) {
    await resize(page, width);
    await unscrolled(page, `${what} at ${width}`);
    const cut = () =>
      page.evaluate(() => {
        const cells = [...document.querySelectorAll<HTMLElement>("td.c-figure, .figures dd, .deadline-figure, td.c-state")];
        return cells.filter((cell) => cell.offsetParent !== null && cell.clientWidth + 1 < cell.scrollWidth).map((cell) => `${cell.className}: ${cell.textContent}`);
      });
    await expect.poll(cut, `${what} at ${width}`).toEqual([]);
  }
}

/** A task that has just failed: those that failed long ago are forgotten. */
async function failed(process: Invented): Promise<string> {
  const { items } = await process.api<{ items: { last_task: number }[] }>("failures");
  return `?view=task&task=${items[0]?.last_task}`;
}

async function addresses(process: Invented): Promise<Record<string, string>> {
  const { items } = await process.api<Paged<Task>>("tasks?limit=500");
  const id = (name: string) => items.find((task) => task.name === name)?.id;
  return {
    groups: "?view=groups",
    "an open group": "?view=groups&q=thumbnail",
    tasks: "?view=tasks",
    tree: "?view=tasks&as=tree",
    "no task": "?view=tasks&q=nothing-like-it",
    finished: "?view=finished",
    lifetime: "?view=lifetime",
    "a blocked task": `?view=task&task=${id("blocked-cpu")}`,
    "a task with a long status": `?view=task&task=${id("reindex")}`,
    "a task with children": `?view=task&task=${id("import")}`,
    "another process": "?view=task&task=3@0000ffff",
  };
}

for (const theme of ["light", "dark"] as const) {
  test(`in peace, ${theme}`, async ({ page, invented }) => {
    test.setTimeout(600_000);
    const process = await invented("incident=yes&tasks=40");
    await page.emulateMedia({ colorScheme: theme });
    for (const [what, address] of [...Object.entries(await addresses(process)), ["a failed task", null] as const]) {
      await page.setViewportSize({ width: 1440, height: 844 });
      await page.goto(process.page + (address ?? (await failed(process))));
      await expect(page.locator("#main table, #main h1:not(.unseen), .empty").first()).toBeVisible();
      if (what === "a failed task") await expect(page.locator(".message-block")).toBeVisible();
      if (what === "an open group") {
        await row(page, "thumbnail").locator("[data-row]").click();
        await expect(page.locator(".group-inside table")).toBeVisible();
      }
      await page.waitForTimeout(300);
      await fits(page, what);
      await page.setViewportSize({ width: theme === "light" ? 390 : 1440, height: 844 });
      await accessible(page);
    }
    await page.keyboard.press("?");
    await expect(page.getByRole("dialog")).toBeVisible();
    await accessible(page);
    await fits(page, "help");
  });

  test(`in a stop and after it, ${theme}`, async ({ page, invented, watch }) => {
    test.setTimeout(400_000);
    watch.expect(AWAY);
    const process = await invented("incident=yes&tasks=40&announce=200&budget=250");
    await page.emulateMedia({ colorScheme: theme });
    await page.goto(process.page);
    await process.dev("signal?name=SIGTERM");
    await expect(page.locator("h1")).toHaveText(/^Announcing/);
    await fits(page, "announcing");
    await accessible(page);
    await process.dev("announced");
    await expect(page.locator("h1")).toHaveText(/^Draining/);
    await fits(page, "draining");
    await accessible(page);
    await page.setViewportSize({ width: 1440, height: 844 });
    await page.getByRole("button", { name: "Force now" }).click();
    await accessible(page);
    await process.dev("signal?name=SIGINT");
    await expect(page.locator("h1")).toHaveText(/^Gone/);
    await fits(page, "gone");
    await accessible(page);
    await process.dev("start?incident=yes");
    await expect(page.locator(".notice")).toBeVisible();
    await fits(page, "the next process");
    await page.getByRole("link", { name: "See how it ended" }).click();
    await expect(page.locator("h1")).toHaveText(/^Gone/);
    await fits(page, "the end");
    await accessible(page);
    await page.keyboard.press("l");
    await expect(page.getByRole("table", { name: "Last stops" })).toBeVisible();
    await fits(page, "stops");
    await accessible(page);
  });
}

test("an empty page teaches in code that can be read on a phone", async ({ page, invented }) => {
  const process = await invented("tasks=0");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(process.page);
  await expect(page.locator(".code")).toContainText("headcount::task(");
  await expect(page.locator(".empty")).toContainText("headcount::spawn(");
  const code = page.locator(".code");
  expect(await code.evaluate((element) => element.scrollWidth - element.clientWidth)).toBeLessThanOrEqual(0);
  await accessible(page);
});

test("on a phone the first row comes soon, with what failed and what is slow", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=40");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${process.page}?view=tasks`);
  await expect(page.locator(".tasks tbody tr").first()).toBeVisible();
  expect((await page.locator(".tasks tbody tr").first().boundingBox())!.y).toBeLessThan(300);
  await expect(page.locator(".tasks tbody .id").first()).toBeVisible();
  await page.goto(`${process.page}?view=tasks&q=reindex`);
  await expect(row(page, "reindex").locator(".below")).toContainText(/~4\s*m \d+\s*s left$/);
  await page.keyboard.press("g");
  await expect(page.locator("tr.group").first()).toBeVisible();
  expect((await page.locator("tr.group").first().boundingBox())!.y).toBeLessThan(340);
  await expect(page.getByRole("columnheader", { name: "Failed" })).toBeVisible();
  await expect(page.getByRole("columnheader", { name: "p95" })).toBeVisible();
  await page.goto(`${process.page}?view=groups`);
  // A name that has no room is there in full once its row is open.
  const name = row(page, "push-notification").locator(".given");
  await row(page, "push-notification").locator("[data-row]").click();
  await expect.poll(() => name.evaluate((element) => element.closest("th")!.getBoundingClientRect().right - element.getBoundingClientRect().right)).toBeGreaterThanOrEqual(0);
});

test("paper is dark on white with every row, whatever the theme", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=40");
  await page.emulateMedia({ colorScheme: "dark", media: "print" });
  await page.goto(`${process.page}?view=tasks`);
  await expect(page.locator(".tasks tbody tr").first()).toBeVisible();
  const inks = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector(".given")!).color]);
  expect(inks[0]).toBe("rgb(255, 255, 255)");
  expect(inks[1]).toBe("rgb(23, 25, 28)");
  await expect(page.locator(".search, .tools, .c-do").first()).toBeHidden();
});

test("what has no place to break is broken, and all stands on one margin", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=40");
  const id = (await process.api<Paged<Task>>("tasks?limit=500")).items.find(({ name }) => name === "reindex")!.id;
  await page.route("**/api/v1/tasks/*", async (route) => {
    const answer = await route.fetch();
    const task = (await answer.json()) as Task;
    await route.fulfill({ response: answer, json: { ...task, status: `https://example.com/${"a".repeat(235)}` } });
  });
  await page.goto(`${process.page}?view=task&task=${id}`);
  await expect(page.locator("#main")).toContainText("https://example.com/aaaa");
  await fits(page, "a status without a space");
  await page.setViewportSize({ width: 720, height: 844 });
  await page.goto(`${process.page}?view=tasks`);
  await expect(page.locator(".tasks tbody tr").first()).toBeVisible();
  const lefts = await page.evaluate(() => [".tasks", "header nav a"].map((selector) => Math.round(document.querySelector(selector)!.getBoundingClientRect().left)));
  expect(lefts[0]).toBe(lefts[1]);
});

test("the age of a task with a timeout is not cut, however old it is", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=40");
  await page.route("**/api/v1/tasks?*", async (route) => {
    const answer = await route.fetch();
    const { items, ...page } = (await answer.json()) as Paged<Task>;
    const old = { age_seconds: 86_399, timeout_seconds: 43_260, timeout_elapsed_seconds: 86_399 };
    await route.fulfill({ response: answer, json: { ...page, items: items.map((task) => ({ ...task, ...old, state: "idle" })) } });
  });
  await page.goto(`${process.page}?view=tasks`);
  await expect(page.locator(".tasks .c-age .allowed").first()).toContainText(/23\s*h 59\s*m of 12\s*h 1\s*m/);
  await fits(page, "old tasks with timeouts");
});

test("charts say their span and their values, and the order that nobody chose is marked", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=40");
  await page.goto(process.page);
  await expect(page.getByRole("img", { name: /^live over the last \d+.*: now \d+, between \d+ and \d+$/ })).toBeVisible();
  await expect(page.locator(".trace-time").first()).toHaveText(/^10 m ago\s*now$/);
  const head = page.getByRole("columnheader", { name: /^Group/ });
  await expect(head).toHaveAttribute("aria-sort", "other");
  await expect(head).toContainText("gravest first");
  await head.getByRole("button").click();
  await expect(head).toHaveAttribute("aria-sort", "ascending");
  await expect(head).not.toContainText("gravest first");
});

test("no figure stands twice", async ({ page, invented, watch }) => {
  watch.expect(AWAY);
  const process = await invented("incident=yes&tasks=40&budget=250");
  const texts = (selector: string) => page.locator(selector).allTextContents();
  // The top line counts what lives; the list does where it is narrowed.
  await page.goto(`${process.page}?view=tasks`);
  await expect(page.locator(".tasks tbody tr").nth(5)).toBeVisible();
  await expect(page.locator(".total")).toHaveText("");
  await page.getByRole("searchbox").fill("import-file");
  await expect(page.locator(".total")).toHaveText("3 live tasks");
  // A task that was never woken is as old as its state; the explanation of a blocked one has the time.
  const { items } = await process.api<Paged<Task>>("tasks?limit=500");
  const id = (name: string) => items.find((task) => task.name === name)?.id;
  await page.goto(`${process.page}?view=task&task=${id("reindex")}`);
  await expect(page.locator(".one-state")).toContainText("idle since its spawn");
  await page.goto(`${process.page}?view=task&task=${id("blocked-cpu")}`);
  await expect(page.locator(".one-state .word.is-blocked")).toHaveText(/^blocked\s*$/);
  // The tasks of a group were spawned at one place, which the group names.
  await page.goto(`${process.page}?view=groups`);
  await row(page, "send-email").locator("[data-row]").click();
  await expect(page.locator(".group-inside table")).toBeVisible();
  await expect(page.locator(".group-inside .c-location")).toHaveCount(0);
  // A setting is in the picture or below it.
  await page.goto(`${process.page}?view=lifetime`);
  await expect(page.locator(".moments")).toContainText("4 m 10 s The deadline");
  const settings = (await texts(".settings dt")).map((name) => name.trim());
  expect(settings).toContain("linger");
  await expect(page.locator(".settings")).toContainText("waits for one more scrape of /metrics");
  await expect(page.locator(".settings")).toContainText("tasks spawned during the stop are waited for too");
  expect((await texts(".moments code")).filter((name) => settings.includes(name.trim()))).toEqual([]);
  expect((await texts(".if-stopped .holds")).join()).not.toContain("cut at");

  await process.dev("signal?name=SIGTERM");
  await expect(page.locator(".stop [data-row]").nth(3)).toBeVisible();
  // Each row has its own reason: above are names alone.
  expect((await texts(".drain-course .holds li")).filter((text) => /yield|pace|closure/.test(text))).toEqual([]);
  await process.dev("signal?name=SIGINT");
  await expect(page.locator("h1")).toHaveText(/^Gone · forced by SIGINT, \d+ tasks abandoned/);
  await expect(page.locator(".named h2").first()).toHaveText("Abandoned");
  await expect(page.locator(".drain-bar")).not.toContainText(/\d s\b/);
  await process.dev("start?incident=yes");
  await expect(page.locator(".notice")).toBeVisible();
  await page.keyboard.press("l");
  await expect(page.locator(".stops .row-link")).toHaveText("forced by SIGINT");
});
