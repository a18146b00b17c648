// What the page knows, as signals. `live.ts` is the one writer.

import { computed, signal } from "@preact/signals";
import { count, duration, plain, plural, text } from "./format.ts";
import { Trend } from "./trend.ts";
import type { Forecast, Group, Outcome, Report, Severity, Shutdown, Stage, Summary, Warning } from "./wire.ts";

/**
 * `lost`: the process answered before and does not now. `polling`: too many pages watch, so this one asks
 * every 2 s.
 */
export type LinkState = "connecting" | "live" | "polling" | "lost";

export interface Link {
  state: LinkState;
  /** When something last came, by `performance.now()`; null while nothing has. */
  seen: number | null;
  /** Attempts since then that failed. */
  failures: number;
  /** The last of them failed by silence: the process may only be busy, or the network slow. */
  silent: boolean;
}

/** What is left of a process after another has answered in its place. */
export interface Ended {
  summary: Summary;
  report: Report | null;
}

export type JustEnded = Shutdown["recently_ended"][number];

export const link = signal<Link>({ state: "connecting", seen: null, failures: 0, silent: false });
export const summary = signal<Summary | null>(null);
/** When the summary arrived, by `performance.now()`. */
export const summaryAt = signal(0);
export const report = signal<Report | null>(null);
/** The process before this one, while the reader has not dismissed the notice. */
export const ended = signal<Ended | null>(null);
/** Every group, each the same object while nothing of it has changed but its age. */
export const groups = signal<Group[]>([]);
/** Tasks that failed during the stop, newest first: they stay in sight. */
export const failedInStop = signal<JustEnded[]>([]);
/** The first forecast of the stop, where the server does not remember it. */
export const firstForecast = signal<number | null>(null);
export const trend = new Trend();
/** Grows with each new point of the trend. */
export const trendVersion = signal(0);
/** Changes when a point is complete: what is drawn from many points is drawn then. */
export const trendSlot = computed(() => (trendVersion.value === 0 ? "" : trend.mark()));
/** `performance.now()`, each second while the tab is visible. */
export const heartbeat = signal(performance.now());
/** The same for ages: it stands still while the process does not answer or the reader has paused the page. */
export const second = signal(performance.now());
export const paused = signal(false);

const GONE_AFTER = 8_000;

export function isGone({ state, seen, failures, silent }: Link, stopping: boolean, now: number): boolean {
  if (state !== "lost" || failures === 0) return false;
  return (stopping && !silent) || seen === null || GONE_AFTER < now - seen;
}

/** Whether the process has gone: in a shutdown with the first refusal, by silence and else after a while. */
export const gone = computed(() => isGone(link.value, summary.value?.shutdown != null, heartbeat.value));
export const lost = computed(() => link.value.state === "lost");

export const stage = computed<Stage | "gone" | "connecting">(() => {
  if (gone.value) return "gone";
  return summary.value?.stage ?? "connecting";
});

export const shutdown = computed<Shutdown | null>(() => summary.value?.shutdown ?? null);
export const stopping = computed(() => shutdown.value !== null);
export const instance = computed(() => summary.value?.instance ?? null);
export const forecast = computed<Forecast | null>(() => summary.value?.forecast ?? null);
export const mayCancel = computed(() => permits(summary.value, "cancel"));
/**
 * Whether the server has the features that came with attention: failures by message, and the stops that it
 * keeps. The page does not ask other servers for them.
 */
export const modern = computed(() => summary.value?.attention !== undefined);

/** Whether the process permits it; older servers permit both or neither. */
export function permits(of: Summary | null, what: "cancel" | "shutdown"): boolean {
  return of?.permissions?.includes(what) ?? of?.actions ?? false;
}

/** Seconds since something was last heard. */
export const silence = computed(() => {
  const { seen } = link.value;
  return seen === null ? null : Math.max(0, (heartbeat.value - seen) / 1000);
});

/** How grave a warning is, where the server does not say. */
export function severityOf(warning: Warning, group: Group): Severity {
  if (warning.severity !== undefined) return warning.severity;
  if (warning.code === "blocked") return "critical";
  if (warning.code === "failing") return 0.5 <= (group.failed_share ?? 0) ? "critical" : "warning";
  return warning.code === "overflow" || warning.code === "slow_polls" ? "notice" : "warning";
}

const GRAVITY: Record<Severity, number> = { critical: 3, warning: 2, notice: 1 };

/** Larger is graver; 0 for a group without a warning. */
export function gravityOf(group: Group): number {
  return group.warnings.reduce((most, warning) => Math.max(most, GRAVITY[severityOf(warning, group)]), 0);
}

/** How many ended like that; older servers say `aborted` for `abandoned`. */
export function countOf(counts: Partial<Record<Outcome, number>>, outcome: Outcome): number {
  if (outcome !== "abandoned") return counts[outcome] ?? 0;
  return (counts.abandoned ?? 0) + (counts.aborted ?? 0);
}

/** What the tab's title says; also while the tab is hidden. */
export function titleOf(heard: Summary, of: { link: Link; report: Report | null; task: string | null; now: number }): string {
  const { service, stage: at, shutdown: stop, live } = heard;
  const title = (words: string) => `${words} · ${plain(service)}`;
  const end = of.report ?? stop?.report ?? null;
  if (end !== null) return title(endOf(end));
  if (isGone(of.link, stop !== null, of.now)) return title(stop === null ? "gone" : `gone, ${count(stop.pending)} left when last seen`);
  if (of.link.state === "lost") return title("no answer");
  if (stop !== null) return title(`${at}, ${count(stop.pending)} left`);
  return title(of.task ?? `${count(live)} live`);
}

function endOf({ result, duration_seconds: took, abandoned_total: left }: Report): string {
  const abandoned = left === 0 ? "" : `, ${plural(left, "task")} abandoned`;
  if (result === "drained") return `drained in ${text(duration(took))}${abandoned}`;
  return (result === "forced" ? "forced" : "deadline passed") + abandoned;
}
