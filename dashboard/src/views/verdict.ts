// The end of a stop in a few words.

import { count, duration, estimate, plain, plural, text } from "../format.ts";
import type { Forecast, Report, Shutdown, Stage } from "../wire.ts";

const STAGES: Record<Stage, string> = {
  running: "Running",
  announcing: "Announcing",
  draining: "Draining",
  aborting: "Aborting",
  lingering: "Lingering",
  done: "Done",
};

/** `drained`, `forced by SIGINT`: for a table that has its figures. */
export function how(report: Report): string {
  const critical = report.critical_service ?? null;
  if (report.result === "forced") return `forced by ${plain(report.forced_by ?? "?")}`;
  if (critical !== null) return `critical service ${plain(critical)} has ended`;
  return report.result === "deadline" ? "deadline passed" : "drained";
}

/** `drained in 9.8 s`, `forced by SIGINT, 2 tasks abandoned`. */
export function verdict(report: Report): string {
  const left = report.abandoned_total === 0 ? "nothing abandoned" : `${plural(report.abandoned_total, "task")} abandoned`;
  if (how(report) !== "drained") return `${how(report)}, ${left}`;
  const took = `drained in ${text(duration(report.duration_seconds))}`;
  return report.abandoned_total === 0 ? took : `${took}, ${left}`;
}

/**
 * `forecast 6 s, took 7.1 s`; null where nothing was forecast. The text says when a stop was cut, because
 * such a stop proves no forecast wrong.
 */
export function judged(forecast: number | null | undefined, took: number | null, result: Report["result"] = "drained"): string | null {
  if (forecast == null || took === null) return null;
  if (result === "deadline" && took < forecast) return `forecast longer than the deadline, cut after ${text(duration(took))}`;
  const how = result === "drained" ? "took" : result === "forced" ? "forced after" : "cut after";
  return `forecast ${estimate(forecast, null).replace("about ", "")}, ${how} ${text(duration(took))}`;
}

/** The head of the stop, while it lasts and after it. */
export function headline(stage: Stage, shutdown: Shutdown, report: Report | null, gone: boolean): string {
  if (gone && report === null) return `Gone · no report, ${plural(shutdown.pending, "task")} left when last seen`;
  if (report !== null) return `${gone ? "Gone" : STAGES[stage]} · ${verdict(report)}`;
  return `${STAGES[stage]} · ${plain(shutdown.reason)}`;
}

/** What the stage means, in a sentence. */
export function meaning(stage: Stage): string {
  if (stage === "announcing") return "Not ready any more, still serving, so that load balancers can turn away.";
  if (stage === "draining") return "Tasks have been notified and are waited for.";
  if (stage === "aborting") return "The remaining tasks are being aborted.";
  if (stage === "lingering") return "Every task is accounted for; it waits for the last scrape of its metrics.";
  return stage === "done" ? "Every task is accounted for; the process is about to end." : "";
}

export interface Tally {
  finished: number;
  abandoned: number;
  /** Of the abandoned: those that nothing could abort. */
  running: number;
  total: number;
}

/** How many were waited for, and what became of them: the same before the end and after it. */
export function tallyOf(stop: Shutdown | null, report: Report | null): Tally {
  if (report === null) return { finished: stop?.ended ?? 0, abandoned: 0, running: 0, total: stop?.total ?? 0 };
  const { aborted = 0, abandoned: counted = 0, ...others } = report.ended;
  const finished = Object.values(others).reduce((sum, each) => sum + each, 0);
  const abandoned = Math.max(report.abandoned_total, aborted + counted);
  const running = report.abandoned.filter((task) => !task.aborted).length;
  return { finished, abandoned, running, total: Math.max(stop?.total ?? 0, finished + abandoned) };
}

/** `5.4 s to 9.5 s`; null where that is as good as no time. */
export function rangeOf(band: [number, number] | null): string | null {
  return band === null || band[1] < 1 ? null : `${text(duration(band[0]))} to ${text(duration(band[1]))}`;
}

/** How the rest of a stop will likely go, in a few words. `counted`: how many there are stands beside it. */
export function likely({ done, done_in_seconds: seconds, band_seconds: band, expected_abandoned: expected }: Forecast, pending: number, counted = false): string {
  const abandoned = Math.round(expected);
  const range = rangeOf(band) === null ? "" : ` (${rangeOf(band)})`;
  const within = seconds === null ? "" : ` in ${estimate(seconds, "about")}${range}`;
  const cut = abandoned === 0 ? "" : `, ${count(abandoned)} abandoned`;
  if (pending === 0) return "";
  if (done === 0) return abandoned === 0 ? "no estimate: too few tasks of their groups have finished" : `${plural(abandoned, "task")} will likely be abandoned`;
  return pending <= done && abandoned === 0 ? `likely done${within}` : `${count(done)}${counted ? "" : ` of ${count(Math.max(pending, done))}`} likely done${within}${cut}`;
}
