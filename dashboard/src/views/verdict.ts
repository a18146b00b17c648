// The end of a shutdown in a few words.

import { duration, plain, plural, text } from "../format.ts";
import type { Report, Shutdown, Stage } from "../wire.ts";

const STAGES: Record<Stage, string> = {
  running: "Running",
  announcing: "Announcing",
  draining: "Draining",
  aborting: "Aborting",
  lingering: "Lingering",
  done: "Done",
};

/** `drained in 9.8 s`, `forced by SIGINT, 2 tasks abandoned`. */
export function verdict(report: Report): string {
  const left = report.abandoned_total === 0 ? "nothing abandoned" : `${plural(report.abandoned_total, "task")} abandoned`;
  if (report.result === "forced") return `forced by ${plain(report.forced_by ?? "?")}, ${left}`;
  if (report.result === "deadline") return `deadline passed, ${left}`;
  const took = `drained in ${text(duration(report.duration_seconds))}`;
  return report.abandoned_total === 0 ? took : `${took}, ${left}`;
}

/** The head of the drain, while it lasts and after it. */
export function headline(stage: Stage, shutdown: Shutdown, report: Report | null, gone: boolean): string {
  if (gone && report === null) return `Gone · no report, ${plural(shutdown.pending, "task")} left when last seen`;
  if (report !== null) return `${gone ? "Gone" : STAGES[stage]} · ${verdict(report)}`;
  return `${STAGES[stage]} · ${plain(shutdown.reason)}`;
}

/** What the stage means, in a sentence. */
export function meaning(stage: Stage): string {
  if (stage === "announcing") return "Not ready any more, still serving: load balancers are looking away.";
  if (stage === "draining") return "Tasks have been told, and are waited for.";
  if (stage === "aborting") return "What is left is being aborted.";
  if (stage === "lingering") return "All is said; it waits for the last scrape of its metrics.";
  return stage === "done" ? "All is said; the process is about to end." : "";
}
