// Four figures over the last ten minutes, on one scale of time: pointing at one shows the same moment in all.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { duration, text } from "../format.ts";
import { summary, trend, trendVersion } from "../store.ts";
import type { Figure } from "../trend.ts";
import type { Summary } from "../wire.ts";
import { Rate, Share, Short } from "./amount.tsx";
import { type Data, type Inks, Plot } from "./chart.tsx";

/** The moment pointed at: an index into the points. */
const pointed = signal<number | null>(null);

interface FigureOf {
  figure: Figure;
  label: string;
  hint: string;
  now: (summary: Summary) => number | null;
  show: (value: number | null) => ComponentChildren;
}

const FIGURES: FigureOf[] = [
  { figure: "live", label: "live", hint: "Tasks alive", now: (s) => s.live, show: (v) => (v === null ? "–" : <Short of={v} />) },
  { figure: "finished", label: "finished", hint: "Tasks that ended, however they did, per second", now: (s) => s.finished_per_second, show: (v) => <Rate of={v} /> },
  { figure: "failed", label: "failed", hint: "Tasks that ended in error or panic, per second", now: () => null, show: (v) => <Rate of={v} /> },
  { figure: "busy", label: "busy", hint: "Share of all workers' time that polls of tasks took: at 100 % no worker is ever free. Blocking closures have threads of their own and do not count", now: (s) => s.busy_share, show: (v) => <Share of={v} /> },
];

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
  const version = trendVersion.value;
  const points = useMemo(() => trend.points(of.figure), [version]);
  const data = useMemo<Data>(() => [trend.times(), points], [points]);
  const at = pointed.value;
  const now = summary.value === null ? null : (of.now(summary.value) ?? newest(points));
  const largest = points.reduce<number>((most, point) => Math.max(most, point ?? 0), 0);
  const ago = at === null ? 0 : (points.length - 1 - at) * (trend.times()[1]! - trend.times()[0]!);
  return (
    <figure class="trace">
      <figcaption>
        <span class="trace-label" title={of.hint}>{of.label}</span>
        <span class="trace-now">{of.show(at === null ? now : (points[at] ?? null))}</span>
        <span class="trace-scale">
          {at === null ? <>most {of.show(largest)}</> : ago === 0 ? "now" : `${text(duration(ago))} ago`}
        </span>
      </figcaption>
      {/* Not before there is something to draw, and then after the rows: the figures are what is waited for. */}
      {summary.value === null ? <div class="plot plot-56" /> : <Plot data={data} height={56} options={options} label={`${of.label} over the last ten minutes`} />}
    </figure>
  );
}

function newest(points: (number | null)[]): number | null {
  return points.findLast((point) => point !== null) ?? null;
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
        (plot: { cursor: { idx?: number | null; left?: number } }) => {
          const { idx, left } = plot.cursor;
          pointed.value = idx == null || left === undefined || left < 0 ? null : idx;
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
