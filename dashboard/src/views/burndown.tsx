import { useMemo, useRef } from "preact/hooks";
import type uPlot from "uplot";
import { count, duration, plural, short, text } from "../format.ts";
import { courseOf, dataOf } from "../outlook.ts";
import { type Data, type Inks, Plot } from "../parts/chart.tsx";
import type { Forecast, Report, Shutdown } from "../wire.ts";

interface Marks {
  budget: number | null;
  total: number;
  now: number;
  pending: number;
  /** Where the line is expected to go. */
  course: ReturnType<typeof courseOf>;
  /** How many were left at the end, and when that was. */
  end: { at: number; left: number } | null;
}

const DASH = [3, 3];

/** What remains over time, up to the deadline, and where it is going. */
export function BurnDown({ stop, forecast, final, frozen }: { stop: Shutdown; forecast: Forecast | null; final: Report | null; frozen: boolean }) {
  const { burn_down: points, total, pending, elapsed_seconds: elapsed, budget_seconds: budget } = stop;
  const cut = final?.abandoned_total ?? 0;
  const marks = useRef<Marks>({ budget, total, now: elapsed, pending, course: null, end: null });
  const data = useMemo<Data>(() => dataOf(points, frozen ? null : [elapsed, pending], cut), [points, elapsed, pending, frozen, cut]);
  const last = data[0].at(-1) ?? elapsed;
  marks.current = {
    budget,
    total: Math.max(1, total, ...points.map(([, left]) => left)),
    now: elapsed,
    pending,
    course: frozen ? null : courseOf(stop, forecast),
    end: final === null ? null : { at: last, left: cut },
  };
  const ends = budget === null ? "no deadline" : `deadline after ${text(duration(budget))}`;
  const left = final === null ? `${count(pending)} of ${count(total)} left after ${text(duration(elapsed))}` : `${plural(cut, "task")} abandoned after ${text(duration(final.duration_seconds))}`;
  return (
    <Plot
      data={data}
      height={132}
      label={`Remaining tasks over time: ${left}, ${ends}`}
      options={(inks, paths) => optionsOf(inks, paths, marks)}
      class="burn"
    />
  );
}

function optionsOf(inks: Inks, paths: typeof uPlot.paths, marks: { current: Marks }): Omit<uPlot.Options, "width" | "height"> {
  const axis = { stroke: inks.text, font: "11px system-ui, sans-serif", ticks: { show: false } };
  const size = (_: unknown, values: string[] | null) => 14 + 7 * Math.max(2, ...(values ?? []).map((value) => value.length));
  return {
    legend: { show: false },
    padding: [8, 12, 0, 0],
    cursor: { show: false },
    scales: {
      x: { time: false, range: (_, __, most) => [0, Math.max(marks.current.budget ?? 0, most ?? 0, 1) * 1.01] },
      y: { range: () => [0, marks.current.total] },
    },
    axes: [
      { ...axis, size: 22, gap: 4, space: 90, grid: { show: false }, values: (_, splits) => splits.map((split) => text(duration(split))) },
      { ...axis, size, gap: 6, grid: { stroke: inks.grid, width: 1 }, splits: () => [0, Math.round(marks.current.total / 2), marks.current.total], values: (_, splits) => splits.map((split) => text([short(split, 1e4)])) },
    ],
    series: [{}, { stroke: inks.line, fill: inks.fill, width: 1.5, points: { show: false }, paths: paths.stepped!({ align: 1 }) }],
    hooks: { draw: [(plot) => drawMarks(plot, inks, marks.current)] },
  };
}

function drawMarks(plot: uPlot, inks: Inks, { budget, course, now, pending, end }: Marks): void {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  const x = (value: number) => Math.min(bbox.left + bbox.width, plot.valToPos(value, "x", true));
  const y = (value: number) => plot.valToPos(value, "y", true);
  ctx.save();
  ctx.lineWidth = Math.max(1, scale);
  ctx.font = `${11 * scale}px system-ui, sans-serif`;
  if (course !== null) {
    if (course.band !== null) {
      ctx.fillStyle = inks.fill;
      shape(ctx, [[x(now), y(pending)], [x(course.band[0]), y(course.left)], [x(course.band[1]), y(course.left)]]);
    }
    ctx.strokeStyle = inks.line;
    ctx.setLineDash(DASH.map((length) => length * scale));
    line(ctx, [[x(now), y(pending)], [x(course.to), y(course.left)], ...(course.left > 0 && budget !== null && course.to < budget ? [[x(budget), y(course.left)] as [number, number]] : [])]);
    ctx.setLineDash([]);
  }
  if (budget !== null) {
    ctx.strokeStyle = inks.warning;
    line(ctx, [[x(budget), bbox.top], [x(budget), bbox.top + bbox.height]]);
    label(ctx, "deadline", x(budget) - 5 * scale, bbox.top + 2 * scale, "right", inks.warning);
  }
  if (end !== null && end.left > 0) {
    ctx.fillStyle = inks.warning;
    ctx.fillRect(x(end.at) - 3 * scale, y(end.left) - 3 * scale, 6 * scale, 6 * scale);
    const right = x(end.at) < bbox.left + bbox.width / 2;
    // Below the line where it has no room between that and the word of the deadline.
    const above = y(end.left) - 16 * scale;
    label(ctx, "abandoned", x(end.at) + (right ? 8 : -8) * scale, above < bbox.top + 16 * scale ? y(end.left) + 6 * scale : above, right ? "left" : "right", inks.warning);
  }
  ctx.restore();
}

function label(ctx: CanvasRenderingContext2D, words: string, x: number, y: number, align: CanvasTextAlign, ink: string): void {
  ctx.fillStyle = ink;
  ctx.textAlign = align;
  ctx.textBaseline = "top";
  ctx.fillText(words, x, y);
}

function line(ctx: CanvasRenderingContext2D, points: [number, number][]): void {
  ctx.beginPath();
  points.forEach(([x, y], index) => (index === 0 ? ctx.moveTo(x, y) : ctx.lineTo(x, y)));
  ctx.stroke();
}

function shape(ctx: CanvasRenderingContext2D, points: [number, number][]): void {
  ctx.beginPath();
  points.forEach(([x, y], index) => (index === 0 ? ctx.moveTo(x, y) : ctx.lineTo(x, y)));
  ctx.closePath();
  ctx.fill();
}
