// Finding a task, keeping the place, and lists that hold still.

import type { Locator, Page as Tab } from "@playwright/test";
import type { FinishedTask, Page as Paged, Summary, Task } from "../src/wire.ts";
import type { Invented } from "./invented.ts";
import { AWAY, expect, row, test } from "./test.ts";

const INCIDENT = "incident=yes&tasks=40&budget=250";

async function taskOf(process: Invented, name: string): Promise<Task> {
  const { items } = await process.api<Paged<Task>>("tasks?limit=500");
  return items.find((task) => task.name === name)!;
}

/** What has the focus: a row's key, or the element. */
function focused(page: Tab): Promise<string | null> {
  return page.evaluate(() => document.activeElement?.getAttribute("data-key") ?? document.activeElement?.tagName ?? null);
}

/** Where a row begins in the window. */
async function topOf(row: Locator): Promise<number> {
  return (await row.boundingBox())!.y;
}

test("what needs attention stands above everything, the gravest first, each a link to the very thing", async ({ page, invented }) => {
  const process = await invented(INCIDENT);
  await page.goto(process.page);
  const sentences = page.locator(".attention .sentence");
  // The server looks for some of them every few seconds.
  await expect(sentences).toHaveCount(5);
  await expect(sentences.first()).toContainText(/critical: blocked-cpu #\d+ has not yielded for 5 m since \d\d:\d\d:\d\d at src\/main\.rs:50/);
  const severities = await sentences.evaluateAll((found) => found.map((one) => [...one.classList].find((name) => name.startsWith("is-"))));
  const rank = ["is-critical", "is-warning", "is-notice"];
  expect(severities).toEqual([...severities].sort((one, other) => rank.indexOf(one!) - rank.indexOf(other!)));
  const above = await page.locator(".attention").boundingBox();
  expect(above!.y).toBeLessThan((await page.locator("table").first().boundingBox())!.y);
  // No sentence stands twice: its group has a mark, and the words on top.
  await expect(page.locator("tr.warning")).toHaveCount(0);
  await expect(row(page, "blocked-cpu").locator(".is-critical")).toHaveCount(1);
  await sentences.first().click();
  await expect(page.locator("h1")).toContainText("blocked-cpu");
  await page.goBack();
  await page.getByRole("link", { name: /flaky-webhook: 100 % panics/ }).click();
  await expect(page).toHaveURL(/view=finished.*outcome=panic/);
});

test("a calm process says so in one line, and the place of the list stays", async ({ page, invented, watch }) => {
  watch.expect(/503/);
  const process = await invented("tasks=20");
  let quiet = true;
  await page.route("**/api/v1/{summary,events**}", async (route) => {
    if (route.request().url().includes("events")) return route.fulfill({ status: 503, contentType: "application/problem+json", body: "{}" });
    const summary = await process.api<Summary>("summary");
    await route.fulfill({ json: { ...summary, attention: quiet ? [] : summary.attention }, headers: { "headcount-instance": summary.instance } });
  });
  await page.goto(process.page);
  await expect(page.locator(".attention")).toHaveText("Nothing needs attention.");
  const place = await page.locator(".groups").boundingBox();
  quiet = false;
  await expect(page.locator(".attention .sentence").first()).toBeVisible();
  expect((await page.locator(".groups").boundingBox())!.y).toBe(place!.y);
});

test("an older server's warnings are the attention list", async ({ page, crowd }) => {
  const process = await crowd(20);
  await page.goto(process.page);
  const first = page.locator(".attention .sentence").first();
  await expect(first).toContainText(/blocked.*not yielded/);
  await first.click();
  await expect(page).toHaveURL(/view=task/);
  await expect(page.locator("#main")).toContainText("blocked");
});

test("blocked tasks are on top, counted, linked, and explained without a button that cannot help", async ({ page, invented }) => {
  const process = await invented(INCIDENT);
  await page.goto(process.page);
  await page.locator(".figures .bad a").click();
  await expect(page).toHaveURL(/state=blocked/);
  await expect(page.getByRole("button", { name: /^blocked \d/ })).toHaveAttribute("aria-pressed", "true");
  // Which tasks are blocked is known after the list is drawn, with the pointer over it.
  let answer = (): void => undefined;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  await page.route(/tasks\?state=blocked&/, async (route) => {
    await answered;
    await route.continue();
  });
  await page.getByRole("button", { name: "any state" }).click();
  await page.getByRole("button", { name: "Task", exact: true }).click();
  const byName = /script|checkout|audit-log/;
  await expect(page.locator("tbody tr").first()).toContainText(byName);
  await page.keyboard.press("t");
  await expect(page.locator("tbody tr").first()).not.toContainText(byName);
  answer();
  await expect(page.locator("tbody tr").first()).toContainText("blocked");
  await expect(row(page, "blocked-cpu")).toBeVisible();
  await row(page, "blocked-cpu").locator("[data-row]").click();
  await expect(page.locator(".explained")).toContainText(/inside one poll for \d+ m/);
  await expect(page.locator(".explained")).toContainText("spawn_blocking");
  await expect(page.getByRole("button", { name: /Cancel/ })).toHaveCount(0);
});

test("a search by filters, refused in the server's words, with a way out and a word on what finished", async ({ page, invented, watch }) => {
  watch.expect(/400/);
  const process = await invented(INCIDENT);
  await page.goto(`${process.page}?view=tasks`);
  const box = page.getByRole("searchbox");
  await box.fill("state:blocked age:>5m");
  await expect(row(page, "blocked-cpu")).toHaveCount(1);
  await box.fill("colour:red");
  await expect(page.locator(".empty-title")).toContainText("colour: is no filter");
  await page.getByRole("button", { name: "Clear search and filters" }).click();
  await expect(page.locator("tbody tr").nth(5)).toBeVisible();
  await box.fill("flaky-webhook error");
  await expect(page.locator(".empty-title")).toContainText("No live task matches");
  await expect(page.getByRole("link", { name: /\d+ finished tasks?/ })).toBeVisible();
  await page.getByRole("link", { name: /\d+ finished tasks?/ }).click();
  await expect(row(page, "flaky-webhook").first()).toBeVisible();
  await page.keyboard.press("g");
  await box.fill("live:>0 label.partner:globex p95:>1s");
  await expect(page.locator(".empty-title")).toContainText("No group matches");
  await box.fill("state:idle");
  await expect(page.locator(".empty-title")).toContainText("see Tasks");
});

test("a link names its process: in another it never shows another task", async ({ page, invented, watch }) => {
  watch.expect(AWAY);
  const process = await invented(INCIDENT);
  const before = await process.api<Summary>("summary");
  await page.goto(`${process.page}?view=tasks`);
  await expect(page).toHaveURL(new RegExp(`in=${before.instance.slice(0, 6)}`));
  await row(page, "blocked-cpu").locator("[data-row]").click();
  await expect(page).toHaveURL(new RegExp(`task=\\d+@${before.instance.slice(0, 6)}`));
  const address = page.url();
  await page.goto("about:blank");

  await process.dev(`start?${INCIDENT}`);
  await page.goto(address);
  await expect(page.locator(".empty-title")).toHaveText(`This link is of pid ${before.pid}, which has ended.`);
  await expect(page.locator("#main")).not.toContainText("blocked-cpu");
  await page.getByRole("link", { name: /^See what runs in pid/ }).click();
  await expect(row(page, "blocked-cpu")).toBeVisible();
  // A place without ids is the same in any process, and says which it is.
  await page.goto(`${process.page}?view=tasks&in=${before.instance.slice(0, 4)}`);
  await expect(page.locator(".notice")).toContainText(`This link is of pid ${before.pid}, which has ended. You see pid`);
  await expect(row(page, "blocked-cpu")).toBeVisible();
  // With the first digits only, as somebody may have typed them.
  const now = await process.api<Summary>("summary");
  const task = await taskOf(process, "reindex");
  await page.goto(`${process.page}?view=task&task=${task.id}@${now.instance.slice(0, 4)}`);
  await expect(page.locator("h1")).toContainText("reindex");
});

test("Back returns to the row: scroll and focus as they were, with pointer and keyboard", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=200");
  await page.setViewportSize({ width: 1200, height: 500 });
  await page.goto(`${process.page}?view=tasks&sort=name`);
  await expect(page.locator("tbody tr").nth(40)).toBeAttached();
  await page.keyboard.press(" ");
  await page.evaluate(() => scrollTo(0, 500));
  const target = page.locator("tbody tr").nth(20).locator("[data-row]");
  await target.focus();
  const key = await target.getAttribute("data-key");
  await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(300);
  const top = await topOf(target);
  await page.keyboard.press("Enter");
  await expect(page.locator(".one, .empty")).toBeVisible();
  await expect.poll(() => page.evaluate(() => scrollY)).toBe(0);
  await expect.poll(() => focused(page)).toBe("MAIN");
  await page.keyboard.press("Escape");
  await expect.poll(() => focused(page)).toBe(key);
  // A row has 28 to 29 px, with the borders that it shares; warnings between the rows come a moment later.
  await expect.poll(async () => Math.abs((await topOf(page.locator(`[data-key="${key}"]`))) - top)).toBeLessThan(5);
});

test("a list that is known from before is only held once it is today's, but where Back returns to it", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=20");
  const late = await taskOf(process, "reindex");
  const gone = await taskOf(process, "audit-log");
  let now = false;
  let answered = Promise.resolve();
  await page.route("**/api/v1/tasks?**", async (route) => {
    await answered;
    const response = await route.fetch();
    const { items, ...rest } = (await response.json()) as Paged<Task>;
    const missing = now ? gone.id : late.id;
    await route.fulfill({ response, json: { ...rest, items: items.filter(({ id }) => id !== missing) } });
  });
  const shown = (task: Task) => page.locator(`[data-key="task ${task.id}"]`);
  await page.goto(`${process.page}?view=tasks&sort=name`);
  await expect(shown(gone)).toBeVisible();
  await expect(shown(late)).toHaveCount(0);

  // By another choice and back, with the pointer in the list.
  await page.getByRole("button", { name: "blocking" }).click();
  await expect(shown(gone)).toHaveCount(0);
  now = true;
  await page.locator(".tasks tbody tr").first().hover();
  await expect(page.locator(".held-note")).toContainText("held");
  await page.getByRole("button", { name: "any kind" }).press("Enter");
  await expect(shown(late)).toBeVisible();
  await expect(shown(gone)).toHaveCount(0);
  await expect(page.locator(".held-note")).toContainText("held");

  // By Back, to the row that has the focus: it stands also when its task is gone.
  await page.mouse.move(2, 2);
  now = false;
  await expect(shown(gone)).toBeVisible();
  await shown(gone).focus();
  await page.keyboard.press("Enter");
  await expect(page.locator("h1")).toContainText("audit-log");
  now = true;
  let answer = () => {};
  answered = new Promise((resolve) => (answer = resolve));
  await page.keyboard.press("Escape");
  await expect(shown(gone)).toBeFocused();
  answer();
  await expect(page.locator("tr.left", { has: shown(gone) })).toBeVisible();
  await expect(shown(gone)).toBeFocused();
});

test("a list is not drawn before it is known what stands above it", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=60");
  let tell = () => {};
  const answered = new Promise<void>((resolve) => (tell = resolve));
  await page.route("**/api/v1/{summary,events**}", async (route) => {
    await answered;
    await route.continue();
  });
  const listed = page.waitForResponse(/tasks\?limit=50/);
  await page.goto(`${process.page}?view=tasks`);
  await (await listed).finished();
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  await expect(page.locator(".tasks tbody [data-row]")).toHaveCount(0);
  tell();
  await expect(page.locator(".tasks tbody [data-row]").first()).toContainText("blocked-cpu");
});

test("Escape leaves the focus on the row that it closes", async ({ page, invented }) => {
  const process = await invented(INCIDENT);
  await page.goto(process.page);
  await expect(row(page, "send-email")).toBeVisible();
  await row(page, "send-email").locator("[data-row]").focus();
  await page.keyboard.press("Enter");
  await expect(page.locator(".group-inside table")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.locator(".group-inside")).toHaveCount(0);
  await expect.poll(() => focused(page)).toMatch(/^group \d+/);
  await page.goto(`${process.page}?view=finished`);
  await page.locator("[data-key^=ended]").nth(2).focus();
  await page.keyboard.press("Enter");
  await expect(page.locator(".finished-inside")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.locator(".finished-inside")).toHaveCount(0);
  await expect.poll(() => focused(page)).toMatch(/^ended \d+/);
});

test("keyboard, touch, pointer and an open row hold a list alike, and it says for how much", async ({ page, invented, browser }) => {
  const process = await invented("incident=yes&tasks=300");
  const { instance } = await process.api<Summary>("summary");
  const rows = (of: Tab) => of.locator(".finished tbody tr:not(.inside) .id").allTextContents();
  const stays = async (of: Tab) => {
    const before = await rows(of);
    await of.waitForTimeout(2_600);
    expect(await rows(of)).toEqual(before);
    await expect(of.locator(".held-note")).toContainText(/held · \d+ newer/);
  };
  await page.goto(`${process.page}?view=finished`);
  await expect(page.locator(".finished tbody tr").nth(20)).toBeVisible();
  await page.mouse.move(2, 2);
  const moving = await rows(page);
  await expect.poll(() => rows(page)).not.toEqual(moving);

  // The keyboard: arrows into the list.
  await page.keyboard.press("ArrowDown");
  while (!((await focused(page)) ?? "").startsWith("ended")) await page.keyboard.press("ArrowDown");
  const key = await focused(page);
  await stays(page);
  expect(await focused(page)).toBe(key);
  await page.getByRole("button", { name: "Go on" }).first().click();
  await page.mouse.move(2, 2);
  await expect(page.locator(".held-note")).toHaveText("");

  // An open row, also where the list has long gone on, and through a link.
  const opened = page.locator("[data-key^=ended]").nth(3);
  await opened.click();
  await page.mouse.move(2, 2);
  await stays(page);
  await expect(page.locator(".finished-inside")).toBeVisible();
  const { items } = await process.api<Paged<FinishedTask>>("finished?limit=500&cursor=200");
  const old = items[0]!;
  await page.goto(`${process.page}?view=finished&open=${old.id}&in=${instance.slice(0, 6)}`);
  await expect(page.locator(".finished-inside")).toBeVisible();
  await expect(page.locator("tr.open")).toContainText(`#${old.id}`);

  // A touch, until one elsewhere.
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true });
  const phone = await context.newPage();
  await phone.goto(`${process.page}?view=finished`);
  await expect(phone.locator(".finished tbody tr").nth(10)).toBeVisible();
  await phone.locator(".finished tbody tr td.c-outcome").nth(2).tap();
  await stays(phone);
  await phone.locator(".service").tap();
  await expect(phone.locator(".held-note")).toHaveText("");
  await context.close();
});

test("Space pauses everything that moves, and a stop goes on all the same", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=200&budget=250");
  await page.goto(process.page);
  await expect(row(page, "send-email")).toBeVisible();
  // The first answer for the charts is there, so none comes later to change what stands still.
  await expect(page.locator(".trace-time").first()).toHaveText(/^10 m ago/);
  await page.keyboard.press(" ");
  await expect(page.locator(".fresh")).toContainText("paused");
  const seen = () => page.evaluate(() => document.querySelector("#app")!.textContent);
  const before = await seen();
  await page.waitForTimeout(2_500);
  expect(await seen()).toBe(before);
  await page.keyboard.press(" ");
  await expect.poll(seen).not.toBe(before);
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByRole("button", { name: "Go on" })).toBeVisible();
  await process.dev("signal?name=SIGTERM");
  await expect(page.locator(".drain-head")).toBeVisible();
  await expect(page.getByRole("timer")).toBeVisible();
});

test("failures are one line a message, with count, first and last", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=60");
  await page.goto(`${process.page}?view=finished`);
  const failures = page.getByRole("table", { name: "Failures by message" });
  const flaky = failures.locator("tr", { hasText: "flaky-webhook" }).filter({ hasText: "index out of bounds" });
  await expect(flaky).toHaveCount(1);
  await expect.poll(async () => Number(await flaky.locator("b").textContent())).toBeGreaterThan(1);
  await expect(flaky.locator("time")).toHaveCount(2);
  expect((await failures.boundingBox())!.y).toBeLessThan((await page.getByRole("table", { name: "Finished tasks" }).boundingBox())!.y);
  // Ends of one second are told apart.
  await expect(page.locator(".finished .c-clock time").first()).toHaveText(/\d\d:\d\d:\d\d\.\d{3}/);
  await flaky.getByRole("link", { name: /#\d+/ }).click();
  await expect(page.locator(".message-block")).toContainText("index out of bounds");
  await expect(page.locator("#main")).toContainText(/finished tasks? of its group (ended with panic|was ok)/);
  await expect(page.locator("#main")).not.toContainText("waited for");
  await expect(page.locator("#main")).not.toContainText("yet");
});

test("under load what failed is in sight, and what was ok is counted by group", async ({ page, quickstart }) => {
  const process = await quickstart(["--load", "60", "--seconds-per-number", "0.002"]);
  await page.goto(`${process.page}?view=finished`);
  const ok = page.getByRole("table", { name: "Ok by group" });
  await expect(ok).toBeVisible();
  await expect(ok.locator("tr", { hasText: "push-notification" })).toHaveCount(1);
  const failures = page.getByRole("table", { name: "Failures by message" });
  // The box has the height that it began with, so the page is opened after the first failure.
  await expect.poll(async () => (await process.api<{ items: unknown[] }>("failures")).items.length).toBeGreaterThan(0);
  await page.reload();
  await expect(failures.locator("tr", { hasText: "451 mailbox busy" }).first()).toBeVisible();
  const list = page.getByRole("table", { name: "Finished tasks" });
  await expect(list.locator(".c-outcome .is-error").first()).toBeVisible();
  await expect(list.locator(".c-outcome .is-ok")).toHaveCount(0);
  expect((await failures.boundingBox())!.y).toBeLessThan((await ok.boundingBox())!.y);
  // None is lost: what is listed and what is counted are all that is remembered.
  await page.keyboard.press(" ");
  const more = page.getByRole("button", { name: /more groups?$/ });
  if (await more.isVisible()) await more.click();
  // An answer on its way still comes.
  await expect(async () => {
    const counted = (await ok.locator("tbody b").allTextContents()).reduce((sum, each) => sum + Number(each.replace(",", "")), 0);
    expect(await page.locator(".ok-groups h2").textContent()).toContain(`Ok by group ${counted.toLocaleString("en")} remembered`);
  }).toPass({ timeout: 30_000 });
  await page.keyboard.press(" ");
  // A group keeps its place, whatever its count.
  const names = () => ok.locator("tbody .name").allTextContents();
  const before = await names();
  await page.waitForTimeout(3_000);
  expect((await names()).slice(0, before.length)).toEqual(before);
  // One by one, where that is asked for.
  await ok.locator("tr", { hasText: "push-notification" }).locator("[data-row]").focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/outcome=ok.*group=\d+|group=\d+.*outcome=ok/);
  await expect(list.locator(".c-outcome .is-ok").nth(20)).toBeVisible();
  await expect(ok).toHaveCount(0);
  await page.goBack();
  await expect(ok).toBeVisible();
  await page.getByRole("searchbox").fill("name:thumbnail");
  await expect(ok.locator("tbody tr")).toHaveCount(1);
});

test("children are below their parents, folded with counts, in the list and on a task's own page", async ({ page, invented }) => {
  const process = await invented(INCIDENT);
  await page.goto(`${process.page}?view=tasks`);
  await page.getByRole("button", { name: "Tree" }).click();
  await expect(page).toHaveURL(/as=tree/);
  await expect(page.locator(".total")).toContainText("without a live parent");
  await expect(row(page, "import-file")).toHaveCount(0);
  const fold = page.getByRole("button", { name: /^3 children of #\d+/ });
  await row(page, "import").locator("[data-row]").focus();
  await page.keyboard.press("ArrowRight");
  await expect(fold).toHaveAttribute("aria-expanded", "true");
  await expect(row(page, "import-file")).toHaveCount(3);
  await expect(row(page, "import-file").locator(".depth-1")).toHaveCount(3);
  await page.keyboard.press("ArrowLeft");
  await expect(row(page, "import-file")).toHaveCount(0);
  await page.goto(`${process.page}?view=task&task=${(await taskOf(process, "import")).id}`);
  await expect(page.getByRole("table", { name: "Live children" }).locator("tbody tr")).toHaveCount(3);
  await row(page, "import-file").first().locator("[data-row]").click();
  await expect(page.locator(".tree")).toContainText("import");
});

test("tabs tell tasks and ends apart, and a lost process is no live one", async ({ page, invented, watch }) => {
  watch.expect(AWAY);
  const process = await invented(INCIDENT);
  await page.goto(process.page);
  await expect(page).toHaveTitle(/^\d+ live · shop-api/);
  const task = await taskOf(process, "reindex");
  await page.goto(`${process.page}?view=task&task=${task.id}`);
  await expect(page).toHaveTitle(`#${task.id} reindex · shop-api`);
  await page.goto(`${process.page}?view=tasks`);
  await expect(row(page, "reindex")).toBeVisible();
  // Looked for from the beginning: a few seconds later it is called gone.
  await Promise.all([expect(page).toHaveTitle("no answer · shop-api"), process.dev("kill")]);
  // Nothing counts on that nobody has seen, and no button promises to be heard.
  const ages = () => page.locator(".tasks tbody .c-age").allTextContents();
  const before = await ages();
  await page.waitForTimeout(2_200);
  expect(await ages()).toEqual(before);
  await expect(page.getByRole("button", { name: /^Cancel/ }).first()).toBeDisabled();
  await expect(page).toHaveTitle("gone · shop-api");
});

test("rows that a held list still shows say how they ended, not an age", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=200");
  await page.goto(`${process.page}?view=tasks&order=asc`);
  await expect(page.locator(".tasks tbody tr").nth(30)).toBeVisible();
  await page.locator(".tasks tbody tr").nth(10).hover();
  const left = page.locator(".tasks tr.left");
  await expect(left.first()).toBeVisible();
  await expect(left.locator(".c-state").filter({ hasText: /(ok|error|panic|cancelled) after/ }).first()).toBeVisible();
  await expect(left.first().locator(".c-age")).toHaveText("");
});

test("a row that a held list still shows is not called ended while its task is alive", async ({ page, invented, watch }) => {
  watch.expect(/502/);
  await page.setViewportSize({ width: 390, height: 844 });
  const process = await invented(INCIDENT);
  let listed = true;
  let known = false;
  await page.route("**/api/v1/tasks/*", (route) => (known ? route.continue() : route.fulfill({ status: 502 })));
  await page.route("**/api/v1/tasks?**", async (route) => {
    const response = await route.fetch();
    const body = (await response.json()) as Paged<Task>;
    await route.fulfill({ response, json: { ...body, items: body.items.filter(({ name }) => listed || name !== "reindex") } });
  });
  await page.goto(`${process.page}?view=tasks`);
  await row(page, "reindex").hover();
  listed = false;
  const state = page.locator(".tasks tr.left", { hasText: "reindex" }).locator(".c-state");
  const cut = () => state.evaluate(({ clientWidth, scrollWidth }) => clientWidth < scrollWidth);
  await expect(state).toHaveText("not listed");
  expect(await cut()).toBe(false);
  known = true;
  await expect(state).toHaveText("still alive", { timeout: 20_000 });
  expect(await cut()).toBe(false);
});

test.describe("in another zone", () => {
  test.use({ timezoneId: "Asia/Tokyo" });

  test("times name their zone, have UTC at hand, and can all be in UTC", async ({ page, invented }) => {
    const process = await invented(INCIDENT);
    await page.goto(`${process.page}?view=finished`);
    const time = page.locator(".finished .c-clock time").first();
    await expect(page.locator(".finished thead")).toContainText("At (UTC+9)");
    await expect(time).toHaveAttribute("title", /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/);
    const [moment, shown] = await time.evaluate((element: HTMLTimeElement) => [element.dateTime, element.textContent] as const);
    const at = new Date(moment);
    expect(shown).toContain(`${String((at.getUTCHours() + 9) % 24).padStart(2, "0")}:`);
    await page.getByRole("button", { name: "times in UTC+9" }).click();
    await expect(page.locator(".finished thead")).toContainText("At (UTC)");
    await page.reload();
    await expect(page.getByRole("button", { name: "times in UTC" })).toBeVisible();
  });
});

test("an incident is worked through by keyboard alone", async ({ page, invented, watch }) => {
  watch.expect(AWAY);
  const process = await invented(INCIDENT);
  await page.goto(process.page);
  await expect(page.locator(".attention .sentence").first()).toBeVisible();
  // To the first sentence, and into it.
  for (let presses = 0; presses < 20 && !(await page.evaluate(() => document.activeElement?.matches(".sentence") ?? false)); presses += 1) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(page.locator("h1")).toContainText("blocked-cpu");
  await page.keyboard.press("Escape");
  await expect.poll(() => page.evaluate(() => document.activeElement?.matches("body") ?? true)).toBe(false);
  // A task that can be cancelled is found, opened and cancelled.
  await page.keyboard.press("t");
  await page.keyboard.press("/");
  await page.keyboard.type("name:blocked-cpu");
  await expect(page.locator(".tasks tbody tr")).toHaveCount(1);
  // Escape empties the box and leaves the focus in it.
  await page.keyboard.press("Escape");
  await page.keyboard.type("name:reindex");
  await expect(page.locator(".tasks tbody tr")).toHaveCount(1);
  await page.keyboard.press("Tab");
  await page.getByRole("button", { name: /^Cancel #\d+ reindex/ }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Keep" })).toBeFocused();
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await expect(page.locator(".empty-title")).toContainText("No live task matches");
  // The stop comes, and is forced.
  await process.dev("signal?name=SIGTERM");
  await expect(page.locator(".drain-head")).toBeVisible();
  await page.getByRole("button", { name: "Force now" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Keep waiting" })).toBeFocused();
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await expect(page.locator("h1")).toHaveText(/^Gone · forced by API/);
});
