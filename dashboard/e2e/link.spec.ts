import { AWAY, expect, live, row, test } from "./test.ts";

test("the token is asked for once and kept until the tab closes", async ({ page, crowd, context, watch }) => {
  watch.expect(/401/);
  const process = await crowd(20, { settings: { TOKEN: "open sesame" } });
  await page.goto(`${process.page}?view=tasks`);
  await expect(page.locator("h1")).toHaveText("This process wants a token");
  await page.getByLabel("Token", { exact: true }).fill("open barley");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("alert")).toHaveText("That token was refused.");
  await page.getByLabel("Token", { exact: true }).fill("open sesame");
  await page.keyboard.press("Enter");
  await expect(row(page, "sleeper").first()).toBeVisible();
  await page.reload();
  await expect(row(page, "sleeper").first()).toBeVisible();
  const other = await context.newPage();
  await other.goto(process.page);
  await expect(other.locator("h1")).toHaveText("This process wants a token");
});

test("a process that is killed is missed, and the next one is told from it", async ({ page, crowd, watch }) => {
  watch.expect(AWAY);
  const process = await crowd(20);
  await page.goto(process.page);
  await expect(row(page, "sleeper").first()).toBeVisible();
  await process.kill();
  await expect(page.locator(".fresh")).toContainText(/reconnecting, last seen \d+ s ago/);
  await expect(page.locator(".notice")).toContainText("announced no shutdown", { timeout: 20_000 });
  await expect(page.locator(".stage-word-gone")).toHaveText("gone");
  await expect(row(page, "sleeper").first()).toBeVisible();

  const next = await crowd(30, { admin: `127.0.0.1:${process.port}` });
  await expect(page.locator(".notice")).toContainText(`A new process answers: pid ${next.pid}`);
  await expect(page.locator(".notice")).toContainText(`pid ${process.pid} left no report`);
  await expect(live(page)).toHaveText("37");
  await page.getByRole("button", { name: "Dismiss" }).click();
  await expect(page.locator(".notice")).toHaveCount(0);
});

test("a hidden tab rests, and shows the newest when it is seen again", async ({ page, quickstart }) => {
  const process = await quickstart();
  await page.goto(`${process.page}?view=tasks`);
  await expect(live(page)).toHaveText("0");
  const show = (state: "hidden" | "visible") =>
    page.evaluate((wanted) => {
      Object.defineProperty(document, "visibilityState", { value: wanted, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, state);
  await show("hidden");
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await process.call("GET", "/", 3);
  // The title still tells, the page itself rests.
  await expect(page).toHaveTitle("3 live · quickstart");
  await expect(live(page)).toHaveText("0");
  expect(asked).toEqual([]);
  await show("visible");
  await expect(live(page)).toHaveText("3");
  await expect(page.locator("tbody tr")).toHaveCount(3);
});

test("more pages than the server allows ask instead of listening", async ({ page, crowd, context, watch }) => {
  watch.expect(/503/);
  const process = await crowd(20, { settings: { SSE_CLIENTS: "1" } });
  const first = await context.newPage();
  await first.goto(process.page);
  await expect(row(first, "sleeper").first()).toBeVisible();
  await page.goto(process.page);
  await expect(page.locator(".fresh")).toContainText("asking every 2 s");
  await expect(row(page, "sleeper").first()).toBeVisible();
});
