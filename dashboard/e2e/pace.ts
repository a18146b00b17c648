// How slow the machine is: bounds in time are for one of known speed, and grow with a slower one.

import type { Page } from "@playwright/test";

const LOOPS = 500_000;
/** Milliseconds that so many loops take on the machine for which the bounds are meant. */
const REFERENCE = 2.5;
/** The best is not interrupted; together they meet what else the machine does. */
const ROUNDS = 60;

export interface Pace {
  /** Of its processor: by this the time grows that a piece of work takes of it. */
  processor: number;
  /** Of the machine, busy with other things: by this the time grows until a piece of work is done. */
  machine: number;
}

/** Factors of at least one; measured in the page, which takes a fraction of a second. */
export async function paceOf(page: Page): Promise<Pace> {
  const rounds = await page.evaluate(
    ([loops, count]) => {
      const took: number[] = [];
      let sum = 0;
      while (took.length < count) {
        const began = performance.now();
        for (let at = 0; at < loops; at += 1) sum = (sum * 31 + at) | 0;
        took.push(performance.now() - began);
      }
      return Number.isNaN(sum) ? [] : took;
    },
    [LOOPS, ROUNDS] as const,
  );
  const mean = rounds.reduce((sum, took) => sum + took, 0) / ROUNDS;
  return { processor: Math.max(1, Math.min(...rounds) / REFERENCE), machine: Math.max(1, mean / REFERENCE) };
}
