import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { AWAY, expect, live, row, test } from "./test.ts";

// The pictures of the README are taken anew by `npm run screenshots`; other runs only prove that they can be.
const FOR_README = process.env["SCREENSHOTS"] === "yes";
const IMAGES = join(import.meta.dirname, "../../docs/images");
/** So long under load before the first picture, in seconds: ten minutes fill the charts. */
const WARM = Number(process.env["SCREENSHOTS_AFTER"] ?? "0");
const LARGEST = 150 * 1024;

test("pictures of the main views, light and dark", async ({ page, quickstart, watch }) => {
  test.setTimeout((WARM + 300) * 1_000);
  watch.expect(AWAY);
  // The README's pictures have the usual deadline and tasks that end within it; other runs have time.
  const [pace, patience] = FOR_README ? ["0.12", {}] : ["5", { DRAIN_TIMEOUT: "600s" }];
  const process = await quickstart(["--load", "12", "--seconds-per-number", pace], { settings: { ALLOW_ACTIONS: "yes", SERVICE: "shop-api", ...patience } });
  await page.setViewportSize({ width: 1160, height: 640 });
  await process.call("GET", "/", 3);
  await page.goto(process.page);
  await expect(row(page, "quickstart::print_numbers")).toHaveCount(1);
  await expect.poll(async () => (await process.api<{ uptime_seconds: number }>("summary")).uptime_seconds, { timeout: (WARM + 60) * 1_000 }).toBeGreaterThan(WARM);
  await process.call("GET", "/", 3);
  await row(page, "quickstart::print_numbers").locator("[data-row]").click();
  await expect(page.locator(".group-inside table")).toBeVisible();
  await page.locator(".service").hover();
  await pictures(page, "groups");
  await page.keyboard.press("Escape");
  await page.goto(`${process.page}?view=tasks`);
  await expect(page.locator("tbody tr").first()).toBeVisible();
  await pictures(page, "tasks");

  process.signal("SIGTERM");
  // The README's picture waits until there is something to see; how soon that is depends on the machine.
  await expect(page.locator(".just-ended li").nth(FOR_README ? 5 : 0)).toBeVisible();
  await pictures(page, "drain");
  process.signal("SIGTERM");
  await expect(page.locator(".drain-head h1")).toHaveText(/^Gone · forced/);
  await pictures(page, "gone");
  await expect(live(page)).toHaveText("0");
});

async function pictures(page: Page, name: string): Promise<void> {
  if (FOR_README) mkdirSync(IMAGES, { recursive: true });
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    // The charts draw themselves anew with the theme.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const path = join(IMAGES, `${name}-${theme}.png`);
    const picture = await page.screenshot(FOR_README ? { path } : {});
    expect(picture.length).toBeLessThanOrEqual(LARGEST);
  }
}
