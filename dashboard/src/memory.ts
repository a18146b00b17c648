// How the last processes stopped. The page itself keeps this, so a report that reached this browser outlives
// its process. Without a report (a crash, a kill) the page keeps the last state that it saw.

import { signal } from "@preact/signals";
import { base } from "./api.ts";
import { forGood } from "./storage.ts";
import type { Report, Shutdown, Summary } from "./wire.ts";

/** One process that has ended. */
export interface Kept {
  instance: string;
  pid: number;
  service: string;
  started_at: string;
  /** When the page last heard of it. */
  seen_at: string;
  live: number;
  report: Report | null;
  /** The stop as it was last seen; null where none had begun, and where only the report is known. */
  shutdown: Shutdown | null;
  /** The process that came after it. */
  next: { pid: number; started_at: string } | null;
}

const STOPS = `headcount-stops ${base.pathname}`;
const SEEN = `headcount-seen ${base.pathname}`;
const MOST = 20;
/** Of each list of tasks, so that twenty stops stay far below what browsers grant. */
const TASKS = 50;

export const kept = signal<Kept[]>(read<Kept[]>(STOPS) ?? []);

function read<T>(key: string): T | null {
  try {
    return JSON.parse(forGood.get(key) ?? "null") as T | null;
  } catch {
    return null;
  }
}

function write(key: string, value: unknown): void {
  forGood.set(key, JSON.stringify(value));
}

export function keptOf(summary: Summary, report: Report | null): Kept {
  const { instance, pid, service, started_at, live, shutdown } = summary;
  const stop = shutdown === null ? null : { ...shutdown, tasks: shutdown.tasks.slice(0, TASKS), report: null };
  return { instance, pid, service, started_at, seen_at: new Date().toISOString(), live, report: report === null ? null : trimmed(report), shutdown: stop, next: null };
}

function trimmed(report: Report): Report {
  return { ...report, abandoned: report.abandoned.slice(0, TASKS), detached: report.detached.slice(0, TASKS) };
}

/** Keeps how a process stopped, in place of what was known of it before. */
export function keep(entry: Kept): void {
  const others = kept.value.filter(({ instance }) => instance !== entry.instance);
  kept.value = [entry, ...others].sort((one, other) => (one.started_at < other.started_at ? 1 : -1)).slice(0, MOST);
  write(STOPS, kept.value);
}

/**
 * The process that runs, as last seen, for the case that it ends without a word. The page may be left before
 * it has drawn that another process answers: what was seen of the one before is kept first.
 */
export function seeNow(summary: Summary): void {
  meet(summary);
  write(SEEN, keptOf(summary, null));
}

/** A process answers. One that was seen before it and left no report is kept as it was last seen. */
export function meet(now: Summary): void {
  const before = read<Kept>(SEEN);
  if (before === null || before.instance === now.instance) return;
  keepLast(kept.value.find((one) => one.instance === before.instance) ?? before, now);
  forGood.remove(SEEN);
}

/**
 * Keeps the process that answered before `now`. Two services may take turns at one address, by
 * `kubectl port-forward`: one that announced no stop still lives when another service answers.
 */
export function keepLast(before: Kept, now: Summary): void {
  const { service, pid, started_at } = now;
  const next = before.service === service ? { pid, started_at } : null;
  if (next === null && before.report === null && before.shutdown === null) return;
  keep({ ...before, next });
}

/** Those of the service that answers; a process that was missed may be the one that answers again. */
export function stopsOf(all: Kept[], now: Summary | null): Kept[] {
  return all.filter(({ service, instance, report }) => now === null || (service === now.service && (instance !== now.instance || report !== null)));
}

export function keptBy(tag: string): Kept | null {
  return kept.value.find(({ instance }) => instance.startsWith(tag) || tag.startsWith(instance)) ?? null;
}

/** The page's own and the server's, newest first, each once. The page's know more. */
export function withServer(own: Kept[], reports: Report[]): Kept[] {
  const known = new Set(own.map(({ instance }) => instance));
  const others = reports.filter(({ instance }) => !known.has(instance)).map(ofReport);
  return [...own, ...others].sort((one, other) => (stoppedAt(one) < stoppedAt(other) ? 1 : -1));
}

export function ofReport(report: Report): Kept {
  const { instance, pid, service, started_at, duration_seconds } = report;
  const seen_at = new Date(Date.parse(started_at) + duration_seconds * 1_000).toISOString();
  return { instance, pid, service, started_at, seen_at, live: report.abandoned_total, report, shutdown: null, next: null };
}

/** When its stop began, or when it was last seen. */
export function stoppedAt({ report, shutdown, seen_at }: Kept): string {
  return report?.started_at ?? shutdown?.started_at ?? seen_at;
}
