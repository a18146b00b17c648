import { accessible, expect, row, test } from "./test.ts";

const ALLOWED = { settings: { ALLOW_ACTIONS: "run" } };

interface Services {
  items: { name: string; runs: number }[];
}

test("services and timers are seen, and one is run now", async ({ page, service }) => {
  const process = await service(["refused"], ALLOWED);
  await page.goto(process.page);
  await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: "Services" }).click();
  const consumer = row(page, "consumer");
  await expect(consumer).toContainText("backing off");
  await expect(consumer).toContainText("connection refused");
  await expect(consumer).toContainText("error");
  await expect(row(page, "orders")).toContainText("every 1 s");
  await accessible(page);

  const runs = async () => (await process.api<Services>("services")).items.find(({ name }) => name === "report")?.runs;
  await expect.poll(runs).toBe(1);
  const report = row(page, "report");
  await report.getByRole("button", { name: "Run now report" }).click();
  await expect(page.locator(".confirm-question")).toContainText("without waiting for the next tick");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect.poll(runs).toBe(2);
  // A run later it can be asked for again.
  await expect(report.getByRole("button", { name: "Run now report" })).toBeVisible();
});

test("a page without the permission has no button", async ({ page, service }) => {
  const process = await service();
  await page.goto(`${process.page}?view=services`);
  await expect(row(page, "report")).toContainText("waiting");
  await expect(page.getByRole("button", { name: /Run now/ })).toHaveCount(0);
  await expect(page.locator("#main")).toContainText("HEADCOUNT_ALLOW_ACTIONS=run");
});

test("a critical service that ends for good is named where the stop is", async ({ service }) => {
  const process = await service(["broken"], { settings: { LINGER: "off" } });
  expect(await process.ended()).toBe(70);
  expect(process.said).toContain("critical service consumer has ended for good");
});
