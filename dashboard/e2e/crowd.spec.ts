import type { Page as List, Task } from "../src/wire.ts";
import { accessible, expect, row, test } from "./test.ts";

const MANY = 100_000;

test("a hundred thousand tasks are searched, sorted and paged by the server", async ({ page, crowd }) => {
  const process = await crowd(MANY);
  await page.goto(process.page);
  await expect(row(page, "sleeper").first()).toContainText("12,500");
  await page.keyboard.press("t");
  await expect(page.locator(".figures dd").first().locator("[title]")).toHaveAttribute("title", "100,007");
  await expect(page.locator(".pager")).toContainText("1–50");
  // The blocked one above the fifty that are oldest.
  await expect(page.locator("tbody tr")).toHaveCount(51);
  await expect(page.locator("tbody tr").first()).toContainText("blocked");

  await page.keyboard.press("/");
  await page.keyboard.type("1077777");
  await expect(page.locator(".total")).toContainText("1 live task");
  await expect(row(page, "sleeper")).toContainText("number=1077777");
  await page.keyboard.press("Escape");
  await expect(page.locator(".total")).toHaveText("");
  await expect(page.locator("tbody tr")).toHaveCount(51);

  await page.getByRole("button", { name: "Task", exact: true }).click();
  await expect(page.locator("th[aria-sort=ascending]")).toContainText("Task");
  await expect(page.locator("tbody tr").first()).toContainText("DROP TABLE");
  await page.getByRole("button", { name: "Age" }).click();
  await expect(page.locator("tbody tr").first()).toContainText("sleeper");

  await page.getByRole("button", { name: "Next" }).click();
  await expect(page.locator(".pager")).toContainText("51–100");
  await page.reload();
  await expect(page.locator(".pager")).toContainText("51–100");
  await page.getByRole("button", { name: "Previous" }).click();
  await expect(page.locator(".pager")).toContainText("1–50");

  await page.getByRole("button", { name: "blocked" }).click();
  await expect(page.locator("tbody tr")).toHaveCount(1);
  await expect(row(page, "blocked")).toContainText("blocked");
  await expect(page.locator(".figures .bad dd")).toContainText("1");
});

test("what travels stays small, whatever lives", async ({ page, crowd }) => {
  const process = await crowd(MANY);
  const sizes: number[] = [];
  page.on("response", (response) => {
    // One in flight when the page closes has no body.
    if (response.url().includes("/api/v1/tasks")) void response.body().then((body) => sizes.push(body.length), () => undefined);
  });
  await page.goto(`${process.page}?view=tasks`);
  await expect.poll(() => sizes.length).toBeGreaterThan(1);
  await expect(page.locator("tbody tr")).toHaveCount(51);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024);
  const event = await page.evaluate(async () => {
    const response = await fetch("api/v1/events");
    const reader = response.body!.getReader();
    let size = 0;
    for (let heard = 0; heard < 3; heard += 1) size = Math.max(size, (await reader.read()).value?.length ?? 0);
    await reader.cancel();
    return size;
  });
  expect(event).toBeGreaterThan(0);
  expect(event).toBeLessThanOrEqual(64 * 1024 + 256);
});

test("more groups than an event has room for are all there", async ({ page, crowd }) => {
  const process = await crowd(3_000, { groups: 300 });
  const { groups_total: total } = await process.api<{ groups_total: number }>("summary");
  const heard = page.waitForResponse((response) => response.url().includes("/events"));
  await page.goto(process.page);
  await heard;
  await expect(page.getByRole("table", { name: "Groups" })).toHaveAttribute("aria-rowcount", String(total + 1));
  // Only those in sight are drawn; the others are a search or a few arrows away.
  expect(await page.locator("tr.group").count()).toBeLessThan(80);
  await page.getByRole("searchbox").fill("__other__");
  await expect(page.locator("tr.group")).toHaveCount(1);
  await page.getByRole("searchbox").fill("shard=17");
  await expect(row(page, "shard=17").first()).toBeVisible();
});

test("hostile names are text", async ({ page, crowd }) => {
  const process = await crowd(10);
  await page.goto(process.page);
  await expect(row(page, "<script>window.taken = true</script>")).toHaveCount(1);
  await expect(row(page, "reversed \\u{202e}gnp.exe")).toHaveCount(1);
  await expect(row(page, "two⏎lines⇥and a bell \\u{7}")).toHaveCount(1);
  await page.goto(`${process.page}?view=tasks&q=onerror`);
  await expect(row(page, "<img src=x")).toContainText("key__b_=<img");
  await row(page, "<img src=x").locator("[data-row]").click();
  await expect(page.locator("h1")).toContainText('<img src=x onerror="window.taken = true">');
  await expect(page.locator(".facts-list")).toContainText("key__b_");
  await accessible(page);
  expect(await page.evaluate(() => "taken" in window)).toBe(false);
  expect(await page.locator("img, main script").count()).toBe(0);
});

test("a link with everything in it shows the same to somebody else", async ({ page, crowd }) => {
  const process = await crowd(1_000);
  const { items } = await process.api<List<Task>>("tasks?limit=1&sort=age");
  await page.goto(`${process.page}?view=tasks&q=sleeper&sort=name&order=desc&state=idle&kind=task`);
  await expect(page.getByRole("searchbox")).toHaveValue("sleeper");
  await expect(page.getByRole("button", { name: "idle" })).toHaveAttribute("aria-pressed", "true");
  await expect(page.locator("th[aria-sort=descending]")).toContainText("Task");
  await page.goto(`${process.page}?view=task&task=${items[0]?.id}`);
  await expect(page.locator("h1")).toContainText(`#${items[0]?.id}`);
});
