import { Tab } from "./tab.ts";
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
  // Looked for from the beginning: a few seconds later it is called gone.
  await Promise.all([expect(page.locator(".fresh")).toContainText(/reconnecting, last seen \d+ s ago/), process.kill()]);
  await expect(page.locator(".notice")).toContainText("announced no shutdown");
  await expect(page.locator(".stage-word-gone")).toHaveText("gone");
  await expect(row(page, "sleeper").first()).toBeVisible();

  const next = await crowd(30, { admin: `127.0.0.1:${process.port}` });
  await expect(page.locator(".notice")).toContainText(`A new process answers: pid ${next.pid}`);
  await expect(page.locator(".notice")).toContainText(`pid ${process.pid} left no report`);
  await expect(live(page)).toHaveText("37");
  await page.getByRole("button", { name: "Dismiss" }).click();
  await expect(page.locator(".notice")).toHaveCount(0);
});

test("a hidden tab rests, and shows the newest when it is seen again", async ({ browser, quickstart }) => {
  const process = await quickstart();
  const tab = await Tab.open(browser, `${process.page}?view=tasks`);
  const live = () => tab.evaluate("document.querySelector('.figures dd')?.textContent");
  await expect.poll(live).toBe("0");
  await tab.hide();
  await expect.poll(() => tab.evaluate("document.visibilityState")).toBe("hidden");
  await process.call("GET", "/", 3);
  // The title still tells, the page itself rests.
  await expect.poll(() => tab.evaluate("document.title")).toBe("3 live · quickstart");
  expect(await live()).toBe("0");
  const asked = `(() => {
    const hidden = performance.getEntriesByType("visibility-state").findLast(({ name }) => name === "hidden").startTime;
    return performance.getEntriesByType("resource").filter(({ startTime }) => hidden < startTime).map(({ name }) => name);
  })()`;
  expect(await tab.evaluate(asked)).toEqual([]);
  await tab.show();
  await expect.poll(live).toBe("3");
  await expect.poll(() => tab.evaluate("document.querySelectorAll('tbody tr').length")).toBe(3);
  expect(await tab.evaluate(asked)).not.toEqual([]);
  await tab.close();
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
