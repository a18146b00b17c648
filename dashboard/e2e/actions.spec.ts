import { AWAY, clipboard, expect, row, test } from "./test.ts";

const ALLOWED = { settings: { ALLOW_ACTIONS: "yes" } };

test("a task is cancelled after one question, which updates do not clobber", async ({ page, crowd }) => {
  const process = await crowd(20, ALLOWED);
  await page.goto(`${process.page}?view=tasks&q=number`);
  const first = page.locator("tbody tr").first();
  const id = await first.locator(".id").textContent();
  await first.getByRole("button", { name: /^Cancel/ }).click();
  await expect(page.locator(".confirm-question")).toContainText(`Drops the future of ${id}`);

  // Several updates later the question stands where it stood.
  const place = await page.locator(".confirm-box").boundingBox();
  const beat = () => page.waitForResponse((response) => response.url().includes("/api/v1/tasks?"));
  await beat();
  await beat();
  expect(await page.locator(".confirm-box").boundingBox()).toEqual(place);

  await page.getByRole("button", { name: "Keep" }).click();
  await expect(page.locator(".confirm-box")).toHaveCount(0);
  await first.getByRole("button", { name: /^Cancel/ }).click();
  await page.getByRole("button", { name: "Cancel task" }).click();
  await expect(page.locator(".total")).toContainText("19 live tasks");
  await page.goto(`${process.page}?view=finished&outcome=cancelled`);
  await expect(row(page, "sleeper")).toContainText(id ?? "");
});

test("a page that is read-only shows no button and says how to act", async ({ page, crowd }) => {
  const process = await crowd(20);
  await page.goto(`${process.page}?view=tasks`);
  await expect(row(page, "sleeper").first()).toBeVisible();
  await expect(page.getByRole("button", { name: /^Cancel/ })).toHaveCount(0);
  await row(page, "sleeper").first().locator("[data-row]").click();
  await expect(page.locator(".one-do")).toContainText("HEADCOUNT_ALLOW_ACTIONS=yes");
  await page.keyboard.press("l");
  await expect(page.locator("#main")).toContainText(`kill -TERM ${process.pid}`);
});

test("an action meant for a process that has been replaced does nothing", async ({ page, crowd, watch }) => {
  watch.expect(AWAY);
  watch.expect(/412/);
  const process = await crowd(20, ALLOWED);
  await page.goto(`${process.page}?view=tasks&q=number`);
  await page.locator("tbody tr").first().getByRole("button", { name: /^Cancel/ }).click();
  // The page must not notice the change before it acts.
  await page.route("**/api/v1/{events**,summary,tasks?**}", () => undefined);
  await process.kill();
  const other = await crowd(20, { ...ALLOWED, admin: `127.0.0.1:${process.port}` });
  await page.getByRole("button", { name: "Cancel task" }).click();
  await expect(page.locator(".confirm-question")).toHaveText("Another process answered. Nothing was done.");
  expect(await other.api<{ finished: { cancelled: number } }>("summary")).toMatchObject({ finished: { cancelled: 0 } });
});

test("the place of a task is copied", async ({ page, crowd, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const process = await crowd(20);
  await page.goto(`${process.page}?view=tasks&q=number`);
  await page.locator("tbody tr").first().locator(".location").click();
  await expect.poll(() => clipboard(page)).toMatch(/^examples\/crowd\.rs:\d+$/);
});
