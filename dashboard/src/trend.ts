// The last ten minutes: what the server remembers, continued by what each summary adds.

import { Ring } from "./ring.ts";
import type { Group, Summary, Trends } from "./wire.ts";

const MINUTES_10 = 600;
/** Rates are over as many seconds as the server's. */
const OVER = 10;

interface GroupRings {
  live: Ring;
  finished: Ring;
}

export type Figure = "live" | "finished" | "failed" | "busy";

const FIGURES = ["live", "finished", "failed", "busy"] as const;

export class Trend {
  private rings = newRings(120, 5);
  private groups = new Map<number, GroupRings>();
  private filled = 0;
  /** Totals of the last ten seconds, oldest first. */
  private failures: { time: number; total: number }[] = [];

  fill(trends: Trends): void {
    this.filled += 1;
    const interval = trends.interval_seconds > 0 ? trends.interval_seconds : 5;
    const capacity = Math.max(2, Math.round(MINUTES_10 / interval));
    const until = Date.parse(trends.until) / 1000;
    this.rings = newRings(capacity, interval);
    this.rings.live.fill(until, trends.live);
    this.rings.finished.fill(until, trends.finished_per_second);
    this.rings.failed.fill(until, trends.failed_per_second);
    this.rings.busy.fill(until, trends.busy_share);
    const ring = (values: number[]) => filled(capacity, interval, until, values);
    this.groups = new Map(trends.groups.map(({ id, live, finished_per_second: finished = [] }) => [id, { live: ring(live), finished: ring(finished) }]));
  }

  add(summary: Summary, groups: Group[] = summary.groups): void {
    const time = Date.parse(summary.started_at) / 1000 + summary.uptime_seconds;
    this.rings.live.put(time, summary.live);
    if (summary.finished_per_second !== null) this.rings.finished.put(time, summary.finished_per_second);
    if (summary.busy_share !== null) this.rings.busy.put(time, summary.busy_share);
    this.addFailures(time, (summary.finished.error ?? 0) + (summary.finished.panic ?? 0));
    for (const group of groups) {
      const { live, finished } = this.group(group.id);
      live.put(time, group.live);
      if (group.finished_per_second !== null) finished.put(time, group.finished_per_second);
    }
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

  groupPoints(id: number, figure: keyof GroupRings = "live"): (number | null)[] {
    return this.groups.get(id)?.[figure].points() ?? [];
  }

  /** Another one when a slot is complete, or when all are filled again. */
  mark(): string {
    return `${this.filled} ${this.rings.live.times().at(-1) ?? 0}`;
  }

  private addFailures(time: number, total: number): void {
    this.failures = this.failures.filter((one) => time - OVER <= one.time && one.time < time);
    this.failures.push({ time, total });
    const oldest = this.failures[0];
    if (oldest === undefined || time - oldest.time < OVER / 2) return;
    this.rings.failed.put(time, Math.max(0, total - oldest.total) / (time - oldest.time));
  }

  private group(id: number): GroupRings {
    const known = this.groups.get(id);
    if (known !== undefined) return known;
    const { capacity, interval } = this.rings.live;
    const rings = { live: new Ring(capacity, interval), finished: new Ring(capacity, interval) };
    this.groups.set(id, rings);
    return rings;
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
