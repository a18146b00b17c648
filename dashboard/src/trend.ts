// The last ten minutes: what the server remembers, continued by what each summary adds.

import { Ring } from "./ring.ts";
import type { Summary, Trends } from "./wire.ts";

const MINUTES_10 = 600;
/** Rates are over as many seconds as the server's. */
const OVER = 10;

export type Figure = "live" | "finished" | "failed" | "busy";

const FIGURES = ["live", "finished", "failed", "busy"] as const;

export class Trend {
  private rings = newRings(120, 5);
  private groups = new Map<number, Ring>();
  /** Totals of the last ten seconds, oldest first. */
  private failures: { time: number; total: number }[] = [];

  fill(trends: Trends): void {
    const interval = trends.interval_seconds > 0 ? trends.interval_seconds : 5;
    const capacity = Math.max(2, Math.round(MINUTES_10 / interval));
    const until = Date.parse(trends.until) / 1000;
    this.rings = newRings(capacity, interval);
    this.rings.live.fill(until, trends.live);
    this.rings.finished.fill(until, trends.finished_per_second);
    this.rings.failed.fill(until, trends.failed_per_second);
    this.rings.busy.fill(until, trends.busy_share);
    this.groups = new Map(trends.groups.map(({ id, live }) => [id, filled(capacity, interval, until, live)]));
  }

  add(summary: Summary): void {
    const time = Date.parse(summary.started_at) / 1000 + summary.uptime_seconds;
    this.rings.live.put(time, summary.live);
    if (summary.finished_per_second !== null) this.rings.finished.put(time, summary.finished_per_second);
    if (summary.busy_share !== null) this.rings.busy.put(time, summary.busy_share);
    this.addFailures(time, summary.finished.error + summary.finished.panic);
    for (const group of summary.groups) this.group(group.id).put(time, group.live);
  }

  clear(): void {
    this.rings = newRings(this.rings.live.capacity, this.rings.live.interval);
    this.groups.clear();
    this.failures = [];
  }

  times(): number[] {
    return this.rings.live.times();
  }

  points(figure: Figure): (number | null)[] {
    return this.rings[figure].points();
  }

  groupPoints(id: number): (number | null)[] {
    return this.groups.get(id)?.points() ?? [];
  }

  private addFailures(time: number, total: number): void {
    this.failures = this.failures.filter((one) => time - OVER <= one.time && one.time < time);
    this.failures.push({ time, total });
    const oldest = this.failures[0];
    if (oldest === undefined || time - oldest.time < OVER / 2) return;
    this.rings.failed.put(time, Math.max(0, total - oldest.total) / (time - oldest.time));
  }

  private group(id: number): Ring {
    const known = this.groups.get(id);
    if (known !== undefined) return known;
    const { capacity, interval } = this.rings.live;
    const ring = new Ring(capacity, interval);
    this.groups.set(id, ring);
    return ring;
  }
}

function newRings(capacity: number, interval: number): Record<Figure, Ring> {
  const rings = FIGURES.map((figure) => [figure, new Ring(capacity, interval)]);
  return Object.fromEntries(rings) as Record<Figure, Ring>;
}

function filled(capacity: number, interval: number, until: number, values: number[]): Ring {
  const ring = new Ring(capacity, interval);
  ring.fill(until, values);
  return ring;
}
