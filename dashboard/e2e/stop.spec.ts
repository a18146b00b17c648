// A stop as the page shows it, from the announcement to what is remembered of it.

import { readFileSync } from "node:fs";
import type { Page as Paged, Report, Summary, Task } from "../src/wire.ts";
import { accessible, AWAY, expect, extension, resize, row, takenBack, test } from "./test.ts";

/** With more time for the stop than any test takes, and less than `reindex` would need. */
const INCIDENT = "incident=yes&tasks=24&budget=250";

test("announcing counts down to both moments, has the list, and claims nothing done", async ({ page, invented }) => {
  const process = await invented(`${INCIDENT}&announce=200`);
  await page.goto(process.page);
  await process.dev("signal?name=SIGTERM");
  await expect(page.locator("h1")).toHaveText("Announcing · SIGTERM");
  await expect(page.getByRole("timer", { name: /^tasks notified in \d+ seconds/ })).toBeVisible();
  await expect(page.getByRole("timer", { name: /^deadline in \d+ seconds/ })).toBeVisible();
  await expect(page.locator(".drain-done")).toContainText(/\d+ tasks will be waited for/);
  expect(await page.locator(".done-bar .done").getAttribute("width")).toBe("0");
  await expect(row(page, "blocked-cpu")).toBeVisible();
  await expect(page.locator("#main")).not.toContainText("Nothing is left");
  await process.dev("announced");
  await expect(page.locator("h1")).toHaveText("Draining · SIGTERM");
  await expect(page.getByRole("timer", { name: /notified/ })).toHaveCount(0);
});

test("announcing by a server that counts nothing yet still has the list and claims nothing done", async ({ page, invented, watch }) => {
  watch.expect(/503/);
  const process = await invented(`${INCIDENT}&announce=200`);
  await page.route("**/api/v1/{summary,events**}", async (route) => {
    if (route.request().url().includes("events")) return route.fulfill({ status: 503, contentType: "application/problem+json", body: "{}" });
    const summary = await process.api<Summary>("summary");
    if (summary.shutdown !== null) {
      const { told_in_seconds: _, ...shutdown } = summary.shutdown;
      summary.shutdown = { ...shutdown, total: 0, pending: 0, ended: 0, tasks: [], rest: [] };
    }
    const { forecast: __, ...older } = summary;
    await route.fulfill({ json: older, headers: { "headcount-instance": summary.instance } });
  });
  await page.goto(process.page);
  await process.dev("signal?name=SIGTERM");
  await expect(page.locator("h1")).toHaveText("Announcing · SIGTERM");
  await expect(page.locator(".drain-done")).toContainText(/[1-9]\d* tasks will be waited for/);
  expect(await page.locator(".done-bar .done").getAttribute("width")).toBe("0");
  await expect(row(page, "blocked-cpu")).toBeVisible();
  await expect(page.locator("#main")).not.toContainText("Nothing is left");
});

test("a forecast in part: how many and when, who will not make it, who cannot be aborted", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=60&budget=60");
  await page.goto(process.page);
  await expect(page.locator(".forecast-line")).toContainText(/If stopped now: \d+ done in about \d+ s; .*reindex about 4 m 30 s at its pace, cut at 60 s/);
  await page.locator(".forecast-line").click();
  await expect(page.locator(".if-stopped")).toContainText("Will not make it");
  await expect(page.locator(".if-stopped")).toContainText("reindex");
  await expect(page.locator(".if-stopped")).toContainText("resize-video");

  await process.dev("signal?name=SIGTERM");
  await expect(page.locator(".estimate")).toContainText(/\d+ of \d+ likely done in about \d+ s \(.+ to .+\), \d+ abandoned/);
  await expect(page.locator(".drain-course .outlook")).toContainText("Cannot be aborted");
  await expect(page.locator("#main")).not.toContainText("yet");
});

test("rows say what they wait for and how long, the longest hold first and Last at the end", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=6&budget=250");
  await page.goto(process.page);
  await process.dev("signal?name=SIGTERM");
  await expect(row(page, "blocked-cpu")).toContainText("does not yield");
  await expect(row(page, "resize-video")).toContainText("cannot be aborted");
  await expect(row(page, "reindex")).toContainText("~4");
  await expect(row(page, "audit-log")).toContainText(/Last: notified when \d+ others have ended/);
  const names = await page.locator(".stop tbody .given").allTextContents();
  expect(names.indexOf("blocked-cpu")).toBeLessThan(names.indexOf("reindex"));
  expect(names.at(-1)).toBe("audit-log");
  // No button that would only seem to help.
  await expect(row(page, "blocked-cpu").getByRole("button", { name: /Cancel/ })).toHaveCount(0);
  await expect(row(page, "resize-video").getByRole("button", { name: /Cancel/ })).toHaveCount(0);
});

test("an older server's rows are ordered and explained all the same", async ({ page, invented, watch }) => {
  watch.expect(/503/);
  const process = await invented("incident=yes&tasks=4&budget=250");
  await page.route("**/api/v1/{summary,events**}", async (route) => {
    if (route.request().url().includes("events")) return route.fulfill({ status: 503, contentType: "application/problem+json", body: "{}" });
    const { forecast: _, attention: __, states: ___, ...summary } = await process.api<Summary>("summary");
    const tasks = summary.shutdown?.tasks.map(({ waits_for: a, eta_seconds: b, eta_bound: c, ...task }) => task).reverse();
    if (summary.shutdown !== null && tasks !== undefined) summary.shutdown.tasks = tasks;
    await route.fulfill({ json: summary, headers: { "headcount-instance": summary.instance } });
  });
  await page.goto(process.page);
  await process.dev("signal?name=SIGTERM");
  await expect(row(page, "audit-log")).toContainText(/Last: notified when \d+ others? ha/);
  const names = () => page.locator(".stop tbody .given").allTextContents();
  await expect.poll(async () => [(await names())[0], (await names()).at(-1)]).toEqual(["blocked-cpu", "audit-log"]);
  // By its progress: 7.7 % in 5 m 14 s, and each second more of it adds 12.
  await expect(row(page, "reindex")).toContainText(/~1\s*h \d+\s*m/);
});

test("the end contradicts nothing: one count, one vocabulary, a reason for each, the forecast judged", async ({ page, invented, watch }) => {
  watch.expect(AWAY);
  const process = await invented(INCIDENT);
  await page.goto(process.page);
  await process.dev("signal?name=SIGTERM");
  await expect(row(page, "blocked-cpu")).toBeVisible();
  const total = /of (\d+) tasks/.exec((await page.locator(".drain-done").textContent()) ?? "")?.[1];
  await page.waitForTimeout(3_500);
  await process.dev("signal?name=SIGINT");
  await expect(page.locator("h1")).toHaveText(/^Gone · forced by SIGINT, \d+ tasks abandoned/);
  const abandoned = Number(/(\d+) tasks abandoned/.exec((await page.locator("h1").textContent()) ?? "")?.[1]);
  const finished = async () => Number(await page.locator(".drain-done b").textContent());
  await expect.poll(finished).toBe(Number(total) - abandoned);
  await expect(page.locator(".drain-done")).toContainText(`of ${total} tasks finished`);
  await expect(page.locator(".verdicts > div", { hasText: "abandoned" }).locator("dd").first()).toHaveText(String(abandoned));
  await expect(page.locator(".verdicts")).not.toContainText("aborted");
  await expect(page.locator(".burn")).toHaveAttribute("aria-label", new RegExp(`${abandoned} tasks abandoned`));
  await expect(page.locator(".named tr", { hasText: "blocked-cpu" })).toContainText("inside a poll for 5 m 50 s");
  await expect(page.locator(".named tr", { hasText: "reindex" })).toContainText("cut by SIGINT");
  await expect(page.locator(".named tr", { hasText: "warm-cache" }).first()).toContainText("not waited for");
  await expect(page.locator(".estimate")).toContainText(/forecast \d+ s, forced after \d/);
  await expect(page.locator(".figures")).toBeHidden();
  await expect(page).toHaveTitle(/^forced, \d+ tasks abandoned · shop-api/);
});

test("tasks that failed in the stop stay in sight", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=120&budget=250");
  await page.goto(process.page);
  await process.dev("signal?name=SIGTERM");
  await expect(page.locator(".just-ended .failed").first()).toBeVisible();
  const failed = await page.locator(".just-ended .failed").last().textContent();
  await page.waitForTimeout(4_000);
  await expect(page.locator(".just-ended .failed", { hasText: /#\d+/.exec(failed ?? "")?.[0] ?? "?" })).toBeVisible();
});

test("a stop never lists a task as remaining and as just ended", async ({ page, invented }) => {
  const process = await invented("incident=yes&tasks=400&budget=250");
  await page.goto(process.page);
  await process.dev("signal?name=SIGTERM");
  await expect(page.locator(".just-ended li").first()).toBeVisible();
  const both = () =>
    page.evaluate(() => {
      const ids = (selector: string) => [...document.querySelectorAll(selector)].map((element) => element.textContent);
      const remaining = new Set(ids(".stop tbody .id"));
      return ids(".just-ended .id").filter((id) => remaining.has(id));
    });
  for (let look = 0; look < 40; look += 1) {
    expect(await both()).toEqual([]);
    await page.waitForTimeout(100);
  }
});

test("more time is one click, taken back by another, and warned of where the platform grants none", async ({ page, invented }) => {
  const process = await invented(INCIDENT);
  await page.goto(process.page);
  await process.dev("signal?name=SIGTERM");
  const group = extension(page);
  await expect(group).toContainText("the platform kills it 3 s after the deadline");
  const more = group.getByRole("button", { name: /^Extend \+30 s, past what the platform grants/ });
  const budget = async () => (await process.api<Summary>("summary")).shutdown?.budget_seconds;
  await expect(more).toBeEnabled();
  const [before, after] = await takenBack(group, ["Extend +30 s"]);
  expect(before).toContain("Extending by 30 s");
  expect(after).toBe("Not extended");
  expect(await budget()).toBe(250);
  await more.click();
  await expect(group).toContainText("Extended by 30 s");
  await expect.poll(budget).toBe(280);
});

test("more time adds up, is one request, and may last until all is done", async ({ page, quickstart }) => {
  const process = await quickstart(["--seconds-per-number", "5"], { settings: { ALLOW_ACTIONS: "yes", DRAIN_TIMEOUT: "300s" } });
  await process.call("GET", "/");
  await page.goto(process.page);
  await expect(row(page, "quickstart::print_numbers")).toBeVisible();
  process.signal("SIGTERM");
  const group = extension(page);
  const budget = async () => (await process.api<Summary>("summary")).shutdown?.budget_seconds;
  await expect(group.getByRole("button", { name: /^Extend \+2 m/ })).toBeEnabled();
  const [before, after] = await takenBack(group, ["Extend +2 m", "Extend +30 s"]);
  expect(before).toContain("Extending by 2 m 30 s");
  expect(after).toBe("Not extended");
  await expect(group.getByRole("button", { name: /^Extend \+30 s/ })).toBeFocused();
  await group.getByRole("button", { name: /^Extend \+2 m/ }).click();
  await expect.poll(budget).toBe(420);
  await group.getByRole("button", { name: /^Extend until done/ }).click();
  await expect(group).toContainText(/Extend(ing|ed) until done/);
  await expect(group).toContainText("Extended until done");
  await expect.poll(budget).toBe(86_820);
  await expect(page.getByRole("timer", { name: /^deadline in/ })).toContainText(/1\s*d|2[34]\s*h/);
});

for (const width of [1440, 390]) {
  test(`Back leads through the stop: to a task and back to it, and to the view before it, at ${width}`, async ({ page, invented }) => {
    await page.setViewportSize({ width, height: 844 });
    const process = await invented(INCIDENT);
    await page.goto(process.page);
    await page.keyboard.press("t");
    await expect(page.getByRole("table", { name: "Live tasks" })).toBeVisible();
    await process.dev("signal?name=SIGTERM");
    await expect(page.locator(".drain-head")).toBeVisible();
    await expect(page).toHaveURL(/view=shutdown/);
    await row(page, "blocked-cpu").locator("[data-row]").click();
    await expect(page.locator(".one")).toBeVisible();
    await page.goBack();
    await expect(page.locator(".drain-head")).toBeVisible();
    await page.goBack();
    await expect(page.getByRole("table", { name: "Live tasks" })).toBeVisible();
    await page.getByRole("link", { name: /draining/ }).click();
    await expect(page.locator(".drain-head")).toBeVisible();
  });
}

test("the end outlives the process and the tab: an address, a list of stops, one HTML file", async ({ page, invented, watch, context }) => {
  watch.expect(AWAY);
  const process = await invented(INCIDENT);
  await page.goto(process.page);
  await process.dev("signal?name=SIGTERM");
  await expect(row(page, "blocked-cpu")).toBeVisible();
  await process.dev("signal?name=SIGINT");
  await expect(page.locator("h1")).toHaveText(/^Gone · forced by SIGINT/);
  const headline = await page.locator("h1").textContent();

  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as HTML" }).click();
  const file = test.info().outputPath("end.html");
  await (await download).saveAs(file);
  const html = readFileSync(file, "utf8");
  expect(html).not.toMatch(/<script>alert/);
  const offline = await context.newPage();
  await offline.goto(`file://${file}`);
  await expect(offline.locator("h1")).toHaveText(headline ?? "");
  await expect(offline.locator(".named")).toHaveCount(2);
  await expect(offline.locator("button, .drain-bar")).toHaveCount(0);
  await expect(offline.locator(".burn img")).toBeVisible();
  expect((JSON.parse((await offline.locator("#report").textContent()) ?? "") as Report).forced_by).toBe("SIGINT");

  // A new process in its place: the end is a link away, also after a reload, and in a list with how it went.
  await process.dev(`start?${INCIDENT}`);
  await expect(page.locator(".notice")).toContainText("A new process answers");
  await page.getByRole("link", { name: "See how it ended" }).click();
  await expect(page).toHaveURL(/view=end&in=[0-9a-f]+/);
  await expect(page.locator("h1")).toHaveText(headline ?? "");
  // It says itself who came after it.
  await expect(page.locator(".notice")).toHaveCount(0);
  await expect(page.locator(".drain-head")).toContainText(/pid \d+ started/);
  await page.reload();
  await expect(page.locator("h1")).toHaveText(headline ?? "");
  await expect(page.locator(".named tr", { hasText: "reindex" })).toContainText("cut by SIGINT");
  await page.keyboard.press("l");
  await expect(page.getByRole("table", { name: "Last stops" })).toContainText("forced by SIGINT");
  await accessible(page);
});

test("a reader who was away reads the stops that the server keeps", async ({ page, invented }) => {
  const process = await invented(INCIDENT);
  await process.dev("signal?name=SIGTERM");
  await process.dev("signal?name=SIGTERM");
  await process.dev(`start?${INCIDENT}`);
  await page.goto(`${process.page}?view=lifetime`);
  const link = page.getByRole("table", { name: "Last stops" }).getByRole("link");
  await expect(link).toHaveText("forced by SIGTERM");
  await link.click();
  await expect(page.locator("h1")).toHaveText(/^Gone · forced by SIGTERM/);
  await expect(page.locator(".named").first()).toContainText("blocked-cpu");
});

test("this start is told beside the last stop", async ({ page, quickstart, watch }) => {
  watch.expect(AWAY);
  const process = await quickstart(["--seconds-per-number", "5"], { settings: { ALLOW_ACTIONS: "yes", DRAIN_TIMEOUT: "600s" } });
  await process.call("GET", "/");
  await page.goto(process.page);
  await expect(row(page, "quickstart::print_numbers")).toBeVisible();
  process.signal("SIGTERM");
  await expect(page.locator("h1")).toHaveText("Draining · SIGTERM");
  await process.cancelAll();
  await expect(page.locator("h1")).toHaveText(/^Gone · drained/);
  const next = await quickstart([], { admin: `127.0.0.1:${process.port}` });
  await expect(page.locator(".notice")).toContainText(`A new process answers: pid ${next.pid}`);
  await page.keyboard.press("l");
  const words = page.locator(".last-stops > p");
  await expect(words).toContainText(new RegExp(`^This process \\(pid ${next.pid}\\) started \\d\\d:\\d\\d:\\d\\d, .*\\d.* after the last one ended\\.$`));
  const stops = page.getByRole("table", { name: "Last stops" });
  await expect(stops.locator("tbody tr")).toHaveCount(1);
  await stops.getByRole("link").click();
  await expect(page.locator(".drain-head")).toContainText(`pid ${next.pid} started`);
  await expect(page.locator(".drain-head")).toContainText(`pid ${process.pid}, started`);
});

test("a process that was killed in its stop is remembered as it was last seen", async ({ page, invented, watch }) => {
  watch.expect(AWAY);
  const process = await invented(INCIDENT);
  await page.goto(process.page);
  await process.dev("signal?name=SIGTERM");
  await expect(row(page, "blocked-cpu")).toBeVisible();
  // It writes down what it sees every few seconds.
  await expect.poll(() => page.evaluate(() => JSON.stringify(localStorage))).toContain("blocked-cpu");
  await process.dev("kill");
  await expect(page.locator("h1")).toHaveText(/^Gone · no report, \d+ tasks left when last seen/);
  await expect(page).toHaveTitle(/^gone, \d+ left when last seen · shop-api/);
  await process.dev(`start?${INCIDENT}`);
  // The tab was closed in between: what it wrote down is enough.
  await page.reload();
  await page.goto(`${process.page}?view=lifetime`);
  const stop = page.getByRole("table", { name: "Last stops" }).getByRole("link");
  await expect(stop).toHaveText(/no report, \d+ tasks left when last seen/);
  await stop.click();
  await expect(page.getByRole("table", { name: "Waited for when last seen" })).toContainText("blocked-cpu");
});

test("no figure of the stop is cut, with a hundred thousand tasks and on a phone", async ({ page, invented, watch }) => {
  watch.expect(/503/);
  const process = await invented(INCIDENT);
  await page.route("**/api/v1/{summary,events**}", async (route) => {
    if (route.request().url().includes("events")) return route.fulfill({ status: 503, contentType: "application/problem+json", body: "{}" });
    const summary = await process.api<Summary>("summary");
    if (summary.shutdown !== null) Object.assign(summary.shutdown, { total: 100_007, pending: 100_007, burn_down: [[0, 100_007], [1, 100_007]] });
    await route.fulfill({ json: summary, headers: { "headcount-instance": summary.instance } });
  });
  await page.goto(process.page);
  await process.dev("signal?name=SIGTERM");
  await expect(page.locator(".burn")).toHaveAttribute("aria-label", /100,007 of 100,007/);
  await expect(page.locator(".burn .u-axis").nth(1)).toBeAttached();
  const room = await page.evaluate(() => {
    const axis = document.querySelectorAll<HTMLElement>(".burn .u-axis")[1]!;
    const pen = document.createElement("canvas").getContext("2d")!;
    pen.font = "11px system-ui, sans-serif";
    return axis.getBoundingClientRect().width - pen.measureText("100 k").width;
  });
  expect(room).toBeGreaterThan(4);
  for (const width of [1440, 900, 390, 320]) {
    await resize(page, width);
    const cut = () => page.evaluate(() => [...document.querySelectorAll<HTMLElement>(".stop .c-figure, .stop .c-state, .deadline-figure")].filter((cell) => cell.offsetParent !== null && cell.clientWidth < cell.scrollWidth).map((cell) => cell.textContent));
    await expect.poll(cut, `at ${width}`).toEqual([]);
  }
  // The id and the button are there on a phone too.
  await expect(row(page, "reindex").locator(".id").first()).toBeVisible();
  await expect(row(page, "reindex").getByRole("button", { name: /Cancel/ })).toBeVisible();
});

test("a page opened in the middle of a stop shows it", async ({ page, invented }) => {
  const process = await invented(INCIDENT);
  await process.dev("signal?name=SIGTERM");
  await page.goto(process.page);
  await expect(page.locator(".drain-head")).toBeVisible();
  const { items } = await process.api<Paged<Task>>("tasks?limit=1");
  expect(items.length).toBe(1);
});

test("each action that is permitted has its button, also where another is not", async ({ page, invented, watch }) => {
  watch.expect(/503/);
  const process = await invented(INCIDENT);
  let permissions = ["shutdown"];
  await page.route("**/api/v1/{summary,events**}", async (route) => {
    if (route.request().url().includes("events")) return route.fulfill({ status: 503, contentType: "application/problem+json", body: "{}" });
    const summary = await process.api<Summary>("summary");
    await route.fulfill({ json: { ...summary, actions: false, permissions }, headers: { "headcount-instance": summary.instance } });
  });
  await page.goto(`${process.page}?view=lifetime`);
  await expect(page.getByRole("button", { name: "Shut down…" })).toBeVisible();
  await process.dev("signal?name=SIGTERM");
  await expect(page.getByRole("button", { name: "Force now" })).toBeVisible();
  await expect(row(page, "reindex")).toBeVisible();
  await expect(row(page, "reindex").getByRole("button", { name: /Cancel/ })).toHaveCount(0);
  permissions = ["cancel"];
  await expect(row(page, "reindex").getByRole("button", { name: /Cancel/ })).toBeVisible();
  await expect(page.locator(".drain-bar")).toContainText("may not force this stop");
});
