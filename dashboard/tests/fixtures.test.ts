// What the server really sends, against the wire types. The check is the compiler's: a fixture that does not satisfy
// its type does not build. What the compiler cannot see in JSON (unions of text) is checked here.

import { describe, expect, it } from "vitest";
import attention from "../fixtures/attention.json" with { type: "json" };
import failures from "../fixtures/failures.json" with { type: "json" };
import finished from "../fixtures/finished.json" with { type: "json" };
import forecast from "../fixtures/forecast.json" with { type: "json" };
import hello from "../fixtures/hello.json" with { type: "json" };
import problem from "../fixtures/problem.json" with { type: "json" };
import services from "../fixtures/services.json" with { type: "json" };
import report from "../fixtures/report.json" with { type: "json" };
import drained from "../fixtures/report-drained.json" with { type: "json" };
import stack from "../fixtures/stack.json" with { type: "json" };
import stackBlocked from "../fixtures/stack-blocked.json" with { type: "json" };
import stacks from "../fixtures/stacks.json" with { type: "json" };
import stops from "../fixtures/stops.json" with { type: "json" };
import done from "../fixtures/summary-done.json" with { type: "json" };
import draining from "../fixtures/summary-draining.json" with { type: "json" };
import empty from "../fixtures/summary-empty.json" with { type: "json" };
import forced from "../fixtures/summary-forced.json" with { type: "json" };
import summary from "../fixtures/summary.json" with { type: "json" };
import taskFinished from "../fixtures/task-finished.json" with { type: "json" };
import task from "../fixtures/task.json" with { type: "json" };
import tasks from "../fixtures/tasks.json" with { type: "json" };
import trends from "../fixtures/trends.json" with { type: "json" };
import { KINDS, OUTCOMES, STATES } from "../src/place.ts";
import type { AttentionList, FailureGroup, FinishedPage, Forecast, Hello, Page, Problem, Report, ServiceList, Stack, StackList, StackResult, Stage, Stops, Summary, Task, TaskDetail, Trends } from "../src/wire.ts";

/** The type as it looks once read from a file: texts are texts, records may lack or have any key. */
type Loose<T> = T extends string ? string : T extends (infer Item)[] ? Loose<Item>[] : T extends object ? { [Key in keyof T]: string extends keyof T ? unknown : Loose<T[Key]> } : T;

hello satisfies Hello;
problem satisfies Problem;
summary satisfies Loose<Summary>;
empty satisfies Loose<Summary>;
draining satisfies Loose<Summary>;
forced satisfies Loose<Summary>;
done satisfies Loose<Summary>;
report satisfies Loose<Report>;
drained satisfies Loose<Report>;
tasks satisfies Loose<Page<Task>>;
finished satisfies Loose<FinishedPage>;
task satisfies Loose<TaskDetail>;
taskFinished satisfies Loose<TaskDetail>;
trends satisfies Trends;
attention satisfies Loose<AttentionList>;
failures satisfies { items: Loose<FailureGroup>[] };
forecast satisfies Loose<Forecast>;
stops satisfies Loose<Stops>;
services satisfies Loose<ServiceList>;
stack satisfies Loose<Stack>;
stackBlocked satisfies Loose<Stack>;
stacks satisfies Loose<StackList>;

const KNOWN: Record<string, readonly (string | null)[]> = {
  kind: KINDS,
  state: [...STATES, null],
  outcome: [...OUTCOMES, "aborted", null],
  on_shutdown: ["wait", "cancel", "last", "detach", "connection"],
  stage: ["running", "announcing", "draining", "aborting", "lingering", "done"],
  result: ["drained", "deadline", "forced", "waits", "went_on", "panicked", "ended", "blocked", "not_begun", "not_captured"],
  code: ["stuck", "blocked", "slow_polls", "failing", "growing", "overflow"],
  severity: ["critical", "warning", "notice"],
  view: ["task", "tasks", "finished", "group", "services", "lifetime"],
  eta_bound: ["about", "at_most", null],
  linger: ["off", "auto"],
  late_spawns: ["adopt", "refuse"],
};

/** Every text under a key whose values are known, wherever it stands. */
function words(value: unknown, key = ""): [string, string | null][] {
  if (Array.isArray(value)) return value.flatMap((item) => words(item, key));
  if (typeof value === "object" && value !== null) {
    // What applications name themselves is no word of ours.
    return Object.entries(value).flatMap(([inner, item]) => (inner === "labels" || inner === "fields" ? [] : words(item, inner)));
  }
  return key in KNOWN && (typeof value === "string" || value === null) ? [[key, value]] : [];
}

describe("fixtures of the server", () => {
  it.each(Object.entries({ summary, empty, draining, forced, done, report, drained, tasks, finished, task, taskFinished, attention, failures, stack, stackBlocked, stacks, stops }))("%s uses known words only", (_, fixture) => {
    const unknown = words(fixture).filter(([key, word]) => !KNOWN[key]?.includes(word));
    expect(unknown).toEqual([]);
  });

  it("shows a shutdown under way and one that was forced", () => {
    expect(draining.shutdown).toMatchObject({ stage: draining.stage, forced_by: null, report: null });
    expect(forced.shutdown.forced_by).not.toBeNull();
  });

  it("shows a report as it is told at the end, and that of a drain which left nothing", () => {
    expect(done.shutdown.report).toEqual(report);
    expect(report.abandoned.length).toBeLessThan(report.abandoned_total);
    expect([drained.forced_by, drained.abandoned, drained.detached]).toEqual([null, [], []]);
  });

  it("has every outcome and state at least once", () => {
    const seen = new Set(words([summary, tasks, finished, task, taskFinished, draining, forced]).map(([key, word]) => `${key} ${word}`));
    expect(["ok", "error", "panic", "cancelled"].filter((outcome) => !seen.has(`outcome ${outcome}`))).toEqual([]);
  });
});

describe("unions of text", () => {
  it("are of the wire types", () => {
    const stages: Stage[] = ["running", "announcing", "draining", "aborting", "lingering", "done"];
    expect(KNOWN["stage"]).toEqual(stages);
    const results: Report["result"][] = ["drained", "deadline", "forced"];
    const stacks: StackResult[] = ["waits", "went_on", "panicked", "ended", "blocked", "not_begun", "not_captured"];
    expect(KNOWN["result"]).toEqual([...results, ...stacks]);
  });
});
