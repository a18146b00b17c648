// What the page knows, as signals. `live.ts` is the one writer.

import { computed, signal } from "@preact/signals";
import { count } from "./format.ts";
import { Trend } from "./trend.ts";
import type { Group, Report, Shutdown, Stage, Summary } from "./wire.ts";

/** `lost`: it answered before and does not now. `polling`: too many pages watch, so this one asks every 2 s. */
export type LinkState = "connecting" | "live" | "polling" | "lost";

export interface Link {
  state: LinkState;
  /** When something last came, by `performance.now()`; null while nothing has. */
  seen: number | null;
  /** Attempts since then that failed. */
  failures: number;
}

/** What is left of a process after another has answered in its place. */
export interface Ended {
  summary: Summary;
  report: Report | null;
}

export const link = signal<Link>({ state: "connecting", seen: null, failures: 0 });
export const summary = signal<Summary | null>(null);
/** When the summary arrived, by `performance.now()`. */
export const summaryAt = signal(0);
export const report = signal<Report | null>(null);
/** The process before this one, while the reader has not dismissed the notice. */
export const ended = signal<Ended | null>(null);
/** Whether the drain has taken the page. */
export const takeover = signal(false);
/** Groups that the events had no room for, as last read in full. */
export const otherGroups = signal<Group[]>([]);
export const trend = new Trend();
/** Grows with each new point of the trend. */
export const trendVersion = signal(0);
/** `performance.now()`, each second while the tab is visible. */
export const second = signal(performance.now());

const GONE_AFTER = 8_000;

/** Whether the process has gone: in a shutdown with the first refusal, else after a while. */
export const gone = computed(() => {
  const { state, seen, failures } = link.value;
  if (state !== "lost" || failures === 0) return false;
  if (summary.value?.shutdown != null) return true;
  return seen === null || GONE_AFTER < second.value - seen;
});

export const stage = computed<Stage | "gone" | "connecting">(() => {
  if (gone.value) return "gone";
  return summary.value?.stage ?? "connecting";
});

export const shutdown = computed<Shutdown | null>(() => summary.value?.shutdown ?? null);

export const groups = computed<Group[]>(() => {
  const heard = summary.value?.groups ?? [];
  if (summary.value === null || summary.value.groups_total <= heard.length) return settled(heard);
  const known = new Set(heard.map((group) => group.id));
  return settled([...heard, ...otherGroups.value.filter((group) => !known.has(group.id))]);
});

let order = { of: "", ids: [] as number[] };

/** The server's order, most interesting first; kept as long as the same groups live with the same warnings. */
function settled(found: Group[]): Group[] {
  const same = found.map(({ id, warnings }) => `${id} ${warnings.map(({ code }) => code)}`).sort();
  const of = `${summary.value?.instance} ${same}`;
  if (order.of !== of) order = { of, ids: found.map(({ id }) => id) };
  const rank = new Map(order.ids.map((id, index) => [id, index]));
  return [...found].sort((one, other) => (rank.get(one.id) ?? 0) - (rank.get(other.id) ?? 0));
}

/** Seconds since something was last heard. */
export const silence = computed(() => {
  const { seen } = link.value;
  return seen === null ? null : Math.max(0, (second.value - seen) / 1000);
});

/** What the tab's title says; also while the tab is hidden. */
export function titleOf(heard: Summary): string {
  const { service, stage: at, shutdown: stopping, live } = heard;
  if (stopping === null) return `${count(live)} live · ${service}`;
  if (stopping.report !== null) return `done · ${service}`;
  return `${at}, ${count(stopping.pending)} left · ${service}`;
}
