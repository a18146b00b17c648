// What a stop waits for, task by task: the server's words, and the page's own where the server is older.

import { plain, plural } from "./format.ts";
import type { Bound, Forecast, Hold, Shutdown, Summary, Task } from "./wire.ts";

export interface Eta {
  seconds: number;
  bound: Bound | null;
}

/** Until the task ends: the server's estimate, else by its progress at its pace so far. */
export function etaOf(task: Task): Eta | null {
  if (task.eta_seconds !== undefined) return task.eta_seconds === null ? null : { seconds: task.eta_seconds, bound: task.eta_bound ?? null };
  const { progress, age_seconds: age } = task;
  if (progress === null || progress.done <= 0 || progress.total <= progress.done) return null;
  return { seconds: (age * (progress.total - progress.done)) / progress.done, bound: "about" };
}

/** What holds the stop up at this task; null where it simply runs to its end. */
export function waitsFor(task: Task, others: number): string | null {
  if (task.waits_for !== undefined) return task.waits_for;
  if (task.state === "blocked") return "does not yield";
  if (task.on_shutdown === "last") return others === 0 ? "Last: notified now" : `Last: notified when ${plural(others, "other")} ${others === 1 ? "has" : "have"} ended`;
  if (task.on_shutdown === "cancel") return "cancelled at once";
  if (task.on_shutdown === "detach") return "detached: not waited for";
  if (task.grace_seconds !== null) return `grace ${task.grace_seconds} s`;
  return task.cancellable || task.kind === "request" ? null : "cannot be aborted";
}

/**
 * How long the task is expected to hold up the stop. Tasks that cannot be helped come first, `Last` tasks
 * after all others.
 */
export function holdOf(task: Task): number {
  if (task.on_shutdown === "last") return -1;
  if (task.state === "blocked") return 4e9;
  if (!task.cancellable && task.kind !== "request") return 3e9;
  return etaOf(task)?.seconds ?? 2e9;
}

/** The longest hold first. Where the server has a forecast, it has ordered them already. */
export function byHold(tasks: Task[], ordered: boolean): Task[] {
  if (ordered) return tasks;
  return [...tasks].sort((one, other) => holdOf(other) - holdOf(one) || other.age_seconds - one.age_seconds);
}

/** `index-rebuild #9`, `webhook ×12`. */
export function holdName({ name, task, count }: Hold): string {
  if (count > 1) return `${plain(name)} ×${count}`;
  return task === null ? plain(name) : `${plain(name)} #${task}`;
}

/** The part of a forecast that a reader must act on. */
export function isLate(forecast: Forecast): boolean {
  return 0.5 <= forecast.expected_abandoned || forecast.will_be_cut.length > 0;
}

/**
 * Where the burn-down goes from here: how many tasks are left after how long, with the range that holds 90 %
 * of the time.
 */
export function courseOf(stop: Shutdown, forecast: Forecast | null): { to: number; left: number; band: [number, number] | null } | null {
  const { elapsed_seconds: now, pending, estimate_seconds: old } = stop;
  if (pending === 0) return null;
  if (forecast === null) return old === null ? null : { to: now + old, left: 0, band: null };
  const { done, done_in_seconds: seconds, band_seconds: band } = forecast;
  if (seconds === null || done === 0) return null;
  return { to: now + seconds, left: Math.max(0, pending - done), band: band === null ? null : [now + band[0], now + band[1]] };
}

/** The line never falls below what was abandoned: that did not end. */
export function dataOf(points: [number, number][], now: [number, number] | null, cut: number): [number[], number[]] {
  const last = points.at(-1);
  const all = now !== null && (last === undefined || last[0] < now[0]) ? [...points, now] : points;
  return [all.map(([time]) => time), all.map(([, left]) => Math.max(left, cut))];
}

/** How far the deadline may move before the platform kills the process; null where it does not. */
export function roomOf({ lifetime }: Summary, { reason, budget_seconds: budget }: Shutdown): number | null {
  const { platform_grace_seconds: grace, abort_grace_seconds: abort, hook_timeout_seconds: hook } = lifetime;
  // The platform counts from the signal that it sent.
  if (grace === null || budget === null || reason !== "SIGTERM") return null;
  return grace - budget - abort - hook;
}
