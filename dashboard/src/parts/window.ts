// Of a long table only the rows in and near the window are drawn; empty rows keep the height of the others.

import { useLayoutEffect, useRef, useState } from "preact/hooks";

/** Rows that are drawn beyond each edge of the window. */
const BEYOND = 8;
/** A table so short is drawn in full. */
const SHORT = 60;

/** A run of rows that is drawn, or the height of one that is not. */
export type Run = { from: number; to: number } | { height: number; key: string };

interface Windowed {
  runs: Run[];
  /** For the `tbody`. */
  body: { current: HTMLTableSectionElement | null };
}

/**
 * Which of `count` rows are drawn. `heightOf` estimates a row's height. Rows in `pinned`, such as the one
 * that has the focus, are drawn wherever they are.
 */
export function useWindow(count: number, heightOf: (index: number) => number, pinned: (index: number) => boolean): Windowed {
  const body = useRef<HTMLTableSectionElement | null>(null);
  const [span, setSpan] = useState<[number, number]>([0, Math.ceil(screen.height / 29) + BEYOND]);
  const heights = useRef(heightOf);
  heights.current = heightOf;
  const long = SHORT < count;

  useLayoutEffect(() => {
    if (!long) return;
    let frame = 0;
    const measure = () => {
      frame = 0;
      if (body.current !== null) setSpan((before) => spanOf(body.current!.getBoundingClientRect().top, count, heights.current, before));
    };
    const soon = () => (frame ||= requestAnimationFrame(measure));
    const all = () => setSpan([0, count]);
    measure();
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    addEventListener("beforeprint", all);
    addEventListener("afterprint", soon);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
      removeEventListener("beforeprint", all);
      removeEventListener("afterprint", soon);
    };
  }, [long, count]);

  return { runs: long ? runsOf(count, span, heightOf, pinned) : [{ from: 0, to: count }], body };
}

/** The rows in sight when the first is at `top` of the window; the same array while nothing has changed. */
function spanOf(top: number, count: number, heightOf: (index: number) => number, before: [number, number]): [number, number] {
  let y = top;
  let first = count;
  let last = 0;
  for (let index = 0; index < count; index += 1) {
    const height = heightOf(index);
    if (0 < y + height && y < innerHeight) {
      first = Math.min(first, index);
      last = index + 1;
    }
    y += height;
  }
  if (last === 0) return before;
  const next: [number, number] = [Math.max(0, first - BEYOND), Math.min(count, last + BEYOND)];
  // Small steps are not worth drawing for: what is drawn covers the window all the same.
  const covered = before[0] <= Math.max(0, first - 2) && Math.min(count, last + 2) <= before[1] && before[1] - before[0] <= next[1] - next[0] + 2 * BEYOND;
  return covered ? before : next;
}

export function runsOf(count: number, [first, last]: readonly [number, number], heightOf: (index: number) => number, pinned: (index: number) => boolean): Run[] {
  const runs: Run[] = [];
  for (let index = 0; index < count; index += 1) {
    const drawn = (first <= index && index < last) || pinned(index);
    const run = runs.at(-1);
    if (drawn) {
      if (run !== undefined && "to" in run) run.to = index + 1;
      else runs.push({ from: index, to: index + 1 });
    } else if (run !== undefined && "height" in run) run.height += heightOf(index);
    else runs.push({ height: heightOf(index), key: `before-${index}` });
  }
  return runs;
}
