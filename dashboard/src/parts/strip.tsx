// Four figures over the last ten minutes, on one scale of time: pointing at one shows the same moment in all.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { duration, rate, share, short, text } from "../format.ts";
import { summary, trend, trendSlot } from "../store.ts";
import type { Figure } from "../trend.ts";
import type { Summary } from "../wire.ts";
import { Rate, Share, Short } from "./amount.tsx";
import { type Data, type Inks, Plot } from "./chart.tsx";

/** The moment pointed at: seconds since the epoch. */
const pointed = signal<number | null>(null);

interface FigureOf {
  figure: Figure;
  label: string;
  hint: string;
  /** Null where the top line has it already. */
  now: (summary: Summary) => number | null;
  show: (value: number | null) => ComponentChildren;
  words: (value: number) => string;
}

const FIGURES: FigureOf[] = [
  { figure: "live", label: "live", hint: "Tasks alive", now: () => null, show: (v) => (v === null ? "–" : <Short of={v} />), words: (v) => text([short(v)]) },
  { figure: "finished", label: "finished", hint: "Tasks that ended per second, whatever their outcome", now: (s) => s.finished_per_second, show: (v) => <Rate of={v} />, words: (v) => `${rate(v)}/s` },
  { figure: "failed", label: "failed", hint: "Tasks that ended in error or panic, per second", now: () => null, show: (v) => <Rate of={v} />, words: (v) => `${rate(v)}/s` },
  { figure: "busy", label: "busy", hint: "Share of all workers' time that polls of tasks took: at 100 % no worker is ever free. Blocking closures have threads of their own and do not count", now: (s) => s.busy_share, show: (v) => <Share of={v} />, words: (v) => text([share(v)]) },
];

export const PLOT = 40;
/** A process that is younger than ten minutes has its charts filled nevertheless. */
const LEAST = 12;

export function Strip() {
  return (
    <section class="strip" aria-label="The last ten minutes">
      {FIGURES.map((figure) => (
        <Trace key={figure.figure} of={figure} />
      ))}
    </section>
  );
}

function Trace({ of }: { of: FigureOf }) {
  const slot = trendSlot.value;
  const { times, points } = useMemo(() => recorded(of.figure), [slot]);
  const data = useMemo<Data>(() => [times, points], [points]);
  const at = pointed.value === null ? -1 : times.indexOf(pointed.value);
  const last = times.at(-1) ?? 0;
  const now = summary.value === null ? null : of.now(summary.value);
  const largest = points.reduce<number>((most, point) => Math.max(most, point ?? 0), 0);
  const newest = points.findLast((point) => point !== null) ?? null;
  // A point stands for the time since the one before it.
  const span = times.length < 2 ? 0 : last - times[0]! + (times[1]! - times[0]!);
  return (
    <figure class="trace">
      <figcaption>
        <span class="trace-label" title={of.hint}>{of.label}</span>
        {at === -1 ? now !== null && <span class="trace-now">{of.show(now)}</span> : <span class="trace-now">{of.show(points[at] ?? null)}</span>}
        <span class="trace-scale">
          {at === -1 ? <>most {of.show(largest)}</> : at === times.length - 1 ? "now" : `${text(duration(last - times[at]!))} ago`}
        </span>
      </figcaption>
      {/* Not before there is something to draw, and then after the rows: the figures are what is waited for. */}
      {summary.value === null ? <div class={`plot plot-${PLOT}`} /> : <Plot data={data} height={PLOT} options={options} label={labelOf(of, points, span, newest, largest)} />}
      <div class="trace-time" aria-hidden="true">
        <span>{span === 0 ? "" : `${text(duration(span))} ago`}</span>
        <span>now</span>
      </div>
    </figure>
  );
}

/** From the first moment that is known, so that a young process does not look idle. */
function recorded(figure: Figure): { times: number[]; points: (number | null)[] } {
  const [times, points] = [trend.times(), trend.points(figure)];
  const live = trend.points("live");
  const first = Math.max(0, Math.min(points.length - LEAST, live.findIndex((point) => point !== null)));
  return { times: times.slice(first), points: points.slice(first) };
}

function labelOf({ label, words }: FigureOf, points: (number | null)[], span: number, newest: number | null, largest: number): string {
  const known = points.filter((point) => point !== null);
  if (known.length === 0) return `${label}: nothing is known yet`;
  const least = Math.min(...known);
  return `${label} over the last ${text(duration(span))}: now ${newest === null ? "unknown" : words(newest)}, between ${words(least)} and ${words(largest)}`;
}

function options(inks: Inks) {
  return {
    legend: { show: false },
    padding: [4, 0, 1, 0] as [number, number, number, number],
    axes: [
      { size: 0, splits: minutes, grid: { stroke: inks.grid, width: 1 }, ticks: { show: false } },
      { show: false },
    ],
    scales: { x: { time: false }, y: { range: (_: unknown, __: number, most: number): [number, number] => [0, most > 0 ? most : 1] } },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      sync: { key: "strip" },
      points: { size: 6, width: 0, fill: inks.line },
    },
    series: [{}, { stroke: inks.line, fill: inks.fill, width: 1.25, points: { show: false }, spanGaps: true }],
    hooks: {
      setCursor: [
        (plot: { data: ArrayLike<number | null>[] | Data; cursor: { idx?: number | null; left?: number } }) => {
          const { idx, left } = plot.cursor;
          pointed.value = idx == null || left === undefined || left < 0 ? null : (plot.data[0]?.[idx] ?? null);
        },
      ],
    },
  };
}

/** A hairline every two minutes. */
function minutes(_: unknown, __: number, from: number, to: number): number[] {
  const lines: number[] = [];
  for (let time = Math.ceil(from / 120) * 120; time <= to; time += 120) lines.push(time);
  return lines;
}
