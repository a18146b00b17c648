import type { Browser } from "@playwright/test";
import { paceOf } from "./pace.ts";
import { expect, row, test } from "./test.ts";

const LOADS = 9;

interface Load {
  /** Milliseconds from the navigation to the first words, and to the first figures of groups. */
  words: number;
  figures: number;
  /** What had been answered by then. */
  answers: { what: string; bytes: number }[];
}

test("a page that was never seen before has its figures after a few small answers, before its charts", async ({ page, browser, quickstart }) => {
  const process = await quickstart(["--load", "15", "--seconds-per-number", "0.2"]);
  // The server has something to show by then.
  await page.goto(process.page);
  await expect(row(page, "thumbnail")).toHaveCount(1);
  const { machine: slower } = await paceOf(page);
  await page.close();
  const loads: Load[] = [];
  while (loads.length < LOADS) loads.push(await coldLoad(browser, process.page));

  for (const { answers } of loads) {
    // The icon, and what the charts are drawn of, may come early; the charts' own code never does.
    expect(answers.map(({ what }) => what).filter((what) => what.includes("uPlot"))).toEqual([]);
    expect(answers.length).toBeLessThanOrEqual(6);
    expect(answers.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(76 * 1024);
  }
  const [words, figures] = [median(loads.map((load) => load.words)), median(loads.map((load) => load.figures))];
  console.log(`first words after ${words} ms, figures after ${figures} ms: medians of ${LOADS}`);
  // Ten times what is wanted: neither a build for debugging nor a busy machine decides.
  expect(words).toBeLessThan(2_000 * slower);
  expect(figures).toBeLessThan(2_000 * slower);
});

/** With an empty cache. */
async function coldLoad(browser: Browser, address: string): Promise<Load> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (document.querySelector("tr.group") === null) return;
      observer.disconnect();
      performance.mark("inserted");
      // A frame later it is painted.
      requestAnimationFrame(() => setTimeout(() => performance.mark("figures")));
    }).observe(document, { childList: true, subtree: true });
  });
  await page.goto(address);
  const load = await page.waitForFunction(() => {
    const moment = (name: string) => performance.getEntriesByName(name)[0]?.startTime;
    const [inserted, figures, words] = [moment("inserted"), moment("figures"), moment("first-contentful-paint")];
    if (inserted === undefined || figures === undefined || words === undefined) return null;
    const asked = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")] as PerformanceResourceTiming[];
    const answers = asked.filter(({ responseEnd }) => 0 < responseEnd && responseEnd <= inserted);
    return { words, figures, answers: answers.map(({ name, transferSize }) => ({ what: new URL(name).pathname, bytes: transferSize })) };
  });
  const found = (await load.jsonValue()) as Load;
  await context.close();
  return found;
}

function median(values: number[]): number {
  return Math.round([...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? NaN);
}
