import { useMemo, useRef } from "preact/hooks";
import type uPlot from "uplot";
import { count, duration, text } from "../format.ts";
import { type Data, type Inks, Plot } from "../parts/chart.tsx";
import type { Shutdown } from "../wire.ts";

interface Marks {
  budget: number | null;
  total: number;
  /** Where the line would go: from the newest point to nothing left. */
  estimate: { from: number; pending: number; to: number } | null;
}

/** What remains over time, up to the deadline. */
export function BurnDown({ shutdown, frozen }: { shutdown: Shutdown; frozen: boolean }) {
  const { burn_down: points, total, pending, elapsed_seconds: elapsed, budget_seconds: budget, estimate_seconds: estimate } = shutdown;
  const marks = useRef<Marks>({ budget, total, estimate: null });
  marks.current = {
    budget,
    total: Math.max(1, total, ...points.map(([, left]) => left)),
    estimate: frozen || estimate === null || pending === 0 ? null : { from: elapsed, pending, to: elapsed + estimate },
  };
  const data = useMemo<Data>(() => {
    const last = points.at(-1);
    const now: [number, number][] = last !== undefined && last[0] < elapsed ? [[elapsed, pending]] : [];
    const all = [...points, ...now];
    return [all.map(([time]) => time), all.map(([, left]) => left)];
  }, [points, elapsed, pending]);
  const ends = budget === null ? "no deadline" : `deadline after ${text(duration(budget))}`;
  return (
    <Plot
      data={data}
      height={132}
      label={`Remaining tasks over time: ${count(pending)} of ${count(total)}, ${ends}`}
      options={(inks, paths) => optionsOf(inks, paths, marks)}
      class="burn"
    />
  );
}

function optionsOf(inks: Inks, paths: typeof uPlot.paths, marks: { current: Marks }): Omit<uPlot.Options, "width" | "height"> {
  const axis = { stroke: inks.text, font: "11px system-ui, sans-serif", ticks: { show: false } };
  return {
    legend: { show: false },
    padding: [8, 12, 0, 0],
    cursor: { show: false },
    scales: {
      x: { time: false, range: (_, __, most) => [0, Math.max(marks.current.budget ?? 0, most ?? 0, 1) * 1.01] },
      y: { range: () => [0, marks.current.total] },
    },
    axes: [
      { ...axis, size: 22, gap: 4, space: 90, grid: { show: false }, values: (_, splits) => splits.map((split) => `${split} s`) },
      { ...axis, size: 44, gap: 6, grid: { stroke: inks.grid, width: 1 }, splits: () => [0, Math.round(marks.current.total / 2), marks.current.total] },
    ],
    series: [{}, { stroke: inks.line, fill: inks.fill, width: 1.5, points: { show: false }, paths: paths.stepped!({ align: 1 }) }],
    hooks: { draw: [(plot) => drawMarks(plot, inks, marks.current)] },
  };
}

function drawMarks(plot: uPlot, inks: Inks, { budget, estimate }: Marks): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = Math.max(1, devicePixelRatio);
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  if (estimate !== null) {
    ctx.strokeStyle = inks.line;
    line(ctx, [plot.valToPos(estimate.from, "x", true), plot.valToPos(estimate.pending, "y", true)], [plot.valToPos(estimate.to, "x", true), plot.valToPos(0, "y", true)]);
  }
  if (budget !== null) {
    const x = plot.valToPos(budget, "x", true);
    ctx.setLineDash([]);
    ctx.strokeStyle = inks.warning;
    line(ctx, [x, bbox.top], [x, bbox.top + bbox.height]);
    ctx.fillStyle = inks.warning;
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = "right";
    ctx.textBaseline = "top";
    ctx.fillText("deadline", x - 5 * devicePixelRatio, bbox.top + 2 * devicePixelRatio);
  }
  ctx.restore();
}

function line(ctx: CanvasRenderingContext2D, from: [number, number], to: [number, number]): void {
  ctx.beginPath();
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
}
