// A real process in which something of each kind has gone wrong.

import type { Page as Tab } from "@playwright/test";
import type { Page as Paged, Summary, Task } from "../src/wire.ts";
import type { Process } from "./process.ts";
import { accessible, clipboard, expect, resize, row, test, unscrolled } from "./test.ts";

const ASKED = { settings: { STACKS: "request" } };

async function open(page: Tab, process: Process, name: string): Promise<Task> {
  const { items } = await process.api<Paged<Task>>(`tasks?name=${name}`);
  await page.goto(`${process.page}?view=task&task=${items[0]?.id}`);
  await expect(page.locator("h1")).toContainText(name);
  return items[0]!;
}

/** Presses Tab until the focus is on this. */
async function tabTo(page: Tab, selector: string): Promise<void> {
  const reached = () => page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector);
  for (let presses = 0; presses < 80 && !(await reached()); presses += 1) await page.keyboard.press("Tab");
  expect(await reached(), selector).toBe(true);
}

async function fits(page: Tab, width: number): Promise<void> {
  await resize(page, width);
  await unscrolled(page, `at ${width}`);
}

/** No figure, no state and no name is cut. */
async function uncut(page: Tab, width: number): Promise<void> {
  const cut = () =>
    page.evaluate(() => {
      const cells = [...document.querySelectorAll<HTMLElement>("td.c-figure, td.c-state")].filter((cell) => cell.offsetParent !== null && cell.clientWidth + 1 < cell.scrollWidth);
      const names = [...document.querySelectorAll<HTMLElement>(".services .given")].filter((name) => name.closest("th")!.getBoundingClientRect().right < name.getBoundingClientRect().right);
      return [...cells, ...names].map((element) => element.textContent);
    });
  await expect.poll(cut, `at ${width}`).toEqual([]);
}

test("a waiting task is asked by keyboard, and says in which line it waits", async ({ page, incident, watch, context }) => {
  // It was never asked before.
  watch.expect(/404/);
  const process = await incident(ASKED);
  await page.goto(`${process.page}?view=tasks`);
  await page.keyboard.press("/");
  await page.keyboard.type("name:checkout");
  await expect(page.locator(".tasks tbody tr")).toHaveCount(1);
  await page.keyboard.press("Tab");
  await tabTo(page, "[data-key^='task ']");
  await page.keyboard.press("Enter");
  await expect(page.locator("h1")).toContainText("checkout");
  await tabTo(page, ".where .button");
  await page.keyboard.press("Enter");
  await expect(page.locator(".stack")).toContainText("incident::paid");
  await expect(page.locator("div[role=status]")).toContainText(/^waits in incident::checkout → incident::paid/);
  await expect(page.locator(".where .button").first()).toBeFocused();
  await expect(page.locator(".where .button").first()).toHaveText("Ask again");
  await expect(page.locator(".where")).toContainText(/asked \d\d:\d\d:\d\d/);

  // The tree: the application's own functions to the three places, and nothing of what runs them.
  const functions = await page.locator(".stack code").allTextContents();
  expect(functions.slice(0, 2)).toEqual(["incident::checkout", "incident::paid"]);
  expect(functions.filter((name) => /^(core|std|headcount|tokio::runtime)\b/.test(name))).toEqual([]);
  await expect(page.locator(".stack .depth-2")).toHaveCount(3);
  await expect(page.locator(".stack li", { hasText: "waits for draining, which is no cause" })).toHaveCount(1);
  await expect(page.locator(".stack li").nth(1).locator(".location")).toHaveText(/^examples\/incident\.rs:\d+$/);

  await accessible(page);
  await fits(page, 320);
  await accessible(page);
  // The answer is there for whoever comes next.
  await page.reload();
  await expect(page.locator(".stack")).toContainText("incident::paid");
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByRole("button", { name: "Copy as text" }).click();
  await expect.poll(() => clipboard(page)).toMatch(/^checkout #\d+ waits in incident::checkout → /);
});

test("a task that a question sets going says so, and the answer outlives it", async ({ page, incident, watch }) => {
  watch.expect(/404/);
  const process = await incident(ASKED);
  await open(page, process, "missed-wake-up");
  await page.getByRole("button", { name: "Ask it" }).click();
  await expect(page.locator(".where-text")).toHaveText("went on meanwhile");
  await expect(page.locator(".one-state")).toContainText("ok");
  await expect(page.locator(".where-text")).toHaveText("went on meanwhile");
  await expect(page.locator(".where .button")).toHaveCount(0);
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe("MAIN");
});

test("a question that is refused says why, and the page says what permits one", async ({ page, incident, watch }) => {
  watch.expect(/404|429/);
  const process = await incident(ASKED);
  await open(page, process, "checkout");
  await page.route("**/stack", (route) =>
    route.request().method() === "POST" ? route.fulfill({ status: 429, contentType: "application/problem+json", json: { title: "Too Many Requests", status: 429, detail: "too many captures at once" } }) : route.continue(),
  );
  await page.getByRole("button", { name: "Ask it" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.locator(".where").getByRole("alert")).toContainText("too many captures at once");
  await expect(page.getByRole("button", { name: "Ask it" })).toBeFocused();

  const other = await incident();
  await open(page, other, "checkout");
  await expect(page.getByRole("button", { name: "Ask it" })).toHaveCount(0);
  await expect(page.locator(".where")).toContainText("HEADCOUNT_STACKS=request");
  // A closure waits at no await.
  await open(page, other, "resize-image");
  await expect(page.locator(".where")).toHaveCount(0);
});

test("limits and timeouts: who waits for a place, who is overdue, and how long each group may live", async ({ page, incident }) => {
  const process = await incident();
  await page.goto(`${process.page}?view=tasks`);
  await page.getByRole("button", { name: "limited 5" }).click();
  await expect(page.locator(".tasks tbody tr")).toHaveCount(5);
  await expect(row(page, "send-email").first().locator(".c-state")).toContainText("limited");
  await page.getByRole("button", { name: "any state" }).click();
  await expect(row(page, "resize-image").locator(".c-age")).toHaveText(/^\s*[\d\sms]+ of 100 ms$/);
  await expect(row(page, "import").locator(".c-age")).toHaveText(/^\s*[\d\sms]+ of 1 h$/);
  for (const width of [1440, 1280, 900, 390, 320]) {
    await fits(page, width);
    await uncut(page, width);
    await expect(row(page, "resize-image").locator(".c-state .overdue")).toBeVisible();
  }
  await page.setViewportSize({ width: 1440, height: 844 });
  await open(page, process, "resize-image");
  await expect(page.locator(".facts-list")).toContainText(/running \d[\d\sms]* of 100 ms overdue: it cannot be aborted/);
  await open(page, process, "import");
  await expect(page.locator(".facts-list")).toContainText(/running \d[\d\sms]* of 1 h/);
  await accessible(page);

  await page.goto(`${process.page}?view=groups`);
  await row(page, "send-email").locator("[data-row]").click();
  await expect(page.locator(".group-inside .facts")).toContainText("2 at once, 5 may wait");
  await expect(page.locator(".group-inside .facts")).toContainText("rejected becausethe queue was full");
  await expect(page.locator(".group-inside .c-state", { hasText: "limited" })).toHaveCount(5);

  await page.goto(`${process.page}?view=lifetime`);
  const sentences = page.locator(".sentences").nth(1).locator("li");
  await expect(sentences.filter({ hasText: "import" })).toContainText(/may live at most 1\s*h/);
  await expect(sentences.filter({ hasText: "send-email" })).toContainText("at most 2 run at once and 5 wait");
  await expect(sentences.last()).toContainText("No other task has a timeout now");

  await page.goto(`${process.page}?view=finished&outcome=timeout`);
  await expect(page.locator(".finished tr", { hasText: "fetch-rates" })).toContainText("timeout");
  await page.getByRole("button", { name: /^rejected/ }).click();
  await expect(row(page, "send-email")).toHaveCount(3);
});

test("a service that was given up says so, and runs again when told to", async ({ page, incident }) => {
  const process = await incident({ settings: { ALLOW_ACTIONS: "run" } });
  await page.goto(`${process.page}?view=services`);
  const consumer = row(page, "consumer");
  await expect(consumer.locator(".c-state")).toContainText("failed");
  await expect(consumer).toContainText("connection refused");
  await expect(row(page, "report")).toContainText("every 1 h");
  await accessible(page);
  for (const width of [900, 390, 320]) {
    await fits(page, width);
    await uncut(page, width);
    await expect(consumer).toContainText("consumer");
    await expect(consumer.getByText("connection refused").filter({ visible: true })).toHaveCount(1);
  }
  await accessible(page);
  await page.setViewportSize({ width: 1440, height: 844 });
  const runs = async () => (await process.api<{ items: { name: string; runs: number }[] }>("services")).items.find(({ name }) => name === "consumer")!.runs;
  const before = await runs();
  await consumer.getByRole("button", { name: "Run now consumer" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.locator(".confirm-question")).toContainText("Begins a run of consumer");
  await expect(page.getByRole("button", { name: "Keep" })).toBeFocused();
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await expect.poll(runs).toBeGreaterThan(before);
  await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).not.toBe("BODY");
});

test("the trace of a failed task is a link, in the list and on its own page", async ({ page, incident }) => {
  const process = await incident({ settings: { TRACE_URL: "https://jaeger.example/trace/{trace_id}" } });
  await page.goto(`${process.page}?view=finished&outcome=error&q=webhook`);
  await page.locator("[data-key^='ended ']").click();
  const link = page.locator(".finished-inside").getByRole("link", { name: /^[0-9a-f]{32}$/ });
  const id = await link.textContent();
  await expect(link).toHaveAttribute("href", `https://jaeger.example/trace/${id}`);
  await page.locator(".finished-inside").getByRole("link", { name: /^#\d+/ }).click();
  await expect(page.locator(".message-block")).toContainText("connection refused");
  await expect(page.locator(".facts-list").getByRole("link", { name: id! })).toHaveAttribute("href", `https://jaeger.example/trace/${id}`);
  await fits(page, 320);
  // A panic says where it was, which is not where its task was spawned.
  await page.goto(`${process.page}?view=finished&outcome=panic`);
  await expect(page.locator(".finished tr", { hasText: "thumbnail" })).toContainText(/the index is 7, at examples\/incident\.rs:\d+/);
});

test("tasks are found by their place and by what they are not", async ({ page, incident }) => {
  const process = await incident();
  await page.goto(`${process.page}?view=tasks`);
  const rows = page.locator(".tasks tbody tr");
  const box = page.getByRole("searchbox");
  const { items } = await process.api<Paged<Task>>("tasks?name=checkout");
  await box.fill(`location:${items[0]!.location}`);
  await expect(rows).toHaveCount(1);
  await expect(rows).toContainText("checkout");
  await box.fill("location:incident.rs -state:limited name:send-email");
  await expect(rows).toHaveCount(2);
  await page.goto(`${process.page}?view=finished`);
  await box.fill("location:incident.rs -outcome:ok,rejected,timeout name:webhook");
  await expect(page.locator(".finished tbody tr")).toHaveCount(1);
});

test("the tasks that a task has spawned are below it", async ({ page, incident }) => {
  const process = await incident();
  await page.goto(`${process.page}?view=tasks&as=tree`);
  await expect(row(page, "import")).toBeVisible();
  await expect(row(page, "parse-file")).toHaveCount(0);
  await page.getByRole("button", { name: /^2 children of #\d+/ }).click();
  await expect(row(page, "parse-file").locator(".depth-1")).toHaveCount(2);
  await open(page, process, "import");
  await expect(page.getByRole("table", { name: "Live children" }).locator("tbody tr")).toHaveCount(2);
  await row(page, "parse-file").first().locator("[data-row]").click();
  await expect(page.locator(".tree")).toContainText("import");
  await accessible(page);
});

test("the stop of an incident says for each task what holds it up", async ({ page, incident }) => {
  const process = await incident({ settings: { ALLOW_ACTIONS: "yes", DRAIN_TIMEOUT: "600s" } });
  await page.goto(process.page);
  await expect(row(page, "checkout")).toBeVisible();
  process.signal("SIGTERM");
  await expect(page.locator("h1")).toHaveText("Draining · SIGTERM");
  await expect(row(page, "blocked-cpu")).toContainText("does not yield");
  await expect(row(page, "resize-image")).toContainText("cannot be aborted");
  await expect(row(page, "audit-log")).toContainText(/Last: notified when \d+ others have ended/);
  await expect(row(page, "warm-cache")).toHaveCount(0);
  await expect(page.locator(".stop tbody .given").first()).toHaveText(/blocked-cpu|resize-image/);
  await expect(page.locator(".stop tbody .given").last()).toHaveText("audit-log");
  const { shutdown } = await process.api<Summary>("summary");
  await expect(page.locator(".drain-done")).toContainText(`of ${shutdown!.total} tasks finished`);
  await expect(row(page, "resize-image").locator(".c-state .overdue")).toBeVisible();
  await accessible(page);
  for (const width of [1440, 900, 390, 320]) {
    await fits(page, width);
    await uncut(page, width);
  }
});
