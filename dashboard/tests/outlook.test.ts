import { describe, expect, it } from "vitest";
import { addressOf, attentionOf } from "../src/attention.ts";
import { Book, groupAt } from "../src/book.ts";
import { clock, estimate, inWords, text, utcTime } from "../src/format.ts";
import { byHold, courseOf, dataOf, etaOf, roomOf, waitsFor } from "../src/outlook.ts";
import { runsOf } from "../src/parts/window.ts";
import { titleOf, type Link } from "../src/store.ts";
import { judged, likely, tallyOf } from "../src/views/verdict.ts";
import type { Attention, Forecast, Group, Report, Shutdown, Summary, Task } from "../src/wire.ts";

function task(id: number, rest: Partial<Task> = {}): Task {
  return { id, name: `task-${id}`, kind: "task", state: "idle", cancellable: true, age_seconds: id, progress: null, on_shutdown: "wait", grace_seconds: null, usual: null, ...rest } as Task;
}

function group(id: number, rest: Partial<Group> = {}): Group {
  return { id, name: `group-${id}`, labels: {}, live: 1, warnings: [], oldest_task: 9, oldest_age_seconds: 5, failed_share: null, finished_per_second: null, ...rest } as Group;
}

const FORECAST: Forecast = {
  within_seconds: 25, done: 22, done_in_seconds: 6.2, band_seconds: [4, 10], will_be_cut: [], cannot_abort: [], unknown: 0, unknown_names: [], expected_abandoned: 0, sentence: "",
};

describe("what a stop waits for", () => {
  it("is said in the server's words, else by policy, state and grace", () => {
    expect(waitsFor(task(1, { waits_for: "grace 5 s" }), 3)).toBe("grace 5 s");
    expect(waitsFor(task(1, { waits_for: null, state: "blocked" }), 3)).toBeNull();
    expect(waitsFor(task(1, { state: "blocked" }), 3)).toBe("does not yield");
    expect(waitsFor(task(1, { on_shutdown: "last" }), 10)).toBe("Last: notified when 10 others have ended");
    expect(waitsFor(task(1, { on_shutdown: "last" }), 0)).toBe("Last: notified now");
    expect(waitsFor(task(1, { grace_seconds: 1 }), 3)).toBe("grace 1 s");
    expect(waitsFor(task(1, { kind: "blocking", cancellable: false }), 3)).toBe("cannot be aborted");
    expect(waitsFor(task(1), 3)).toBeNull();
  });

  it("is ordered by how long it holds up the stop", () => {
    const tasks = [task(1, { on_shutdown: "last" }), task(2, { eta_seconds: 3, eta_bound: "about" }), task(3, { state: "blocked" }), task(4, { eta_seconds: 270 }), task(5), task(6, { kind: "blocking", cancellable: false })];
    expect(byHold(tasks, false).map(({ id }) => id)).toEqual([3, 6, 5, 4, 2, 1]);
    expect(byHold(tasks, true)).toBe(tasks);
  });

  it("ends by its progress where the server does not say", () => {
    expect(etaOf(task(100, { progress: { done: 1, total: 4 } }))).toEqual({ seconds: 300, bound: "about" });
    expect(etaOf(task(100, { progress: { done: 1, total: 4 }, eta_seconds: null }))).toBeNull();
    expect(etaOf(task(100, { progress: { done: 0, total: 4 } }))).toBeNull();
    expect(etaOf(task(1, { eta_seconds: 5, eta_bound: "at_most" }))).toEqual({ seconds: 5, bound: "at_most" });
  });

  it("is forecast in part", () => {
    expect(likely(FORECAST, 22)).toBe("likely done in about 6 s (4.0 s to 10 s)");
    expect(likely({ ...FORECAST, expected_abandoned: 3.2 }, 26)).toBe("22 of 26 likely done in about 6 s (4.0 s to 10 s), 3 abandoned");
    expect(likely({ ...FORECAST, done: 0, done_in_seconds: null, band_seconds: null, unknown: 4 }, 4)).toContain("too few");
    expect(likely({ ...FORECAST, done: 0, done_in_seconds: null, band_seconds: null, expected_abandoned: 1 }, 4)).toBe("1 task will likely be abandoned");
    expect(courseOf({ elapsed_seconds: 4, pending: 26 } as Shutdown, FORECAST)).toEqual({ to: 10.2, left: 4, band: [8, 14] });
    expect(courseOf({ elapsed_seconds: 4, pending: 26, estimate_seconds: 5 } as Shutdown, null)).toEqual({ to: 9, left: 0, band: null });
    expect(courseOf({ elapsed_seconds: 4, pending: 0 } as Shutdown, FORECAST)).toBeNull();
  });

  it("has as much more time as the platform grants", () => {
    const summary = { lifetime: { platform_grace_seconds: 60, abort_grace_seconds: 1, hook_timeout_seconds: 1 } } as Summary;
    expect(roomOf(summary, { reason: "SIGTERM", budget_seconds: 25 } as Shutdown)).toBe(33);
    expect(roomOf(summary, { reason: "API", budget_seconds: 25 } as Shutdown)).toBeNull();
    expect(roomOf(summary, { reason: "SIGTERM", budget_seconds: null } as Shutdown)).toBeNull();
  });
});

describe("the end", () => {
  const report = { ended: { ok: 13, cancelled: 1 }, abandoned_total: 26, abandoned: [{ aborted: false }, { aborted: true }], duration_seconds: 7.1, result: "drained" } as unknown as Report;

  it("counts once, before and after", () => {
    expect(tallyOf({ ended: 14, total: 40 } as Shutdown, null)).toEqual({ finished: 14, abandoned: 0, running: 0, total: 40 });
    expect(tallyOf({ ended: 15, total: 40 } as Shutdown, report)).toEqual({ finished: 14, abandoned: 26, running: 1, total: 40 });
  });

  it("leaves the curve at what was abandoned", () => {
    expect(dataOf([[0, 6], [25, 4], [26, 0]], null, 4)).toEqual([[0, 25, 26], [6, 4, 4]]);
    expect(dataOf([[0, 6]], [1, 5], 0)).toEqual([[0, 1], [6, 5]]);
  });

  it("judges the forecast", () => {
    expect(judged(6, 7.1)).toBe("forecast 6 s, took 7.1 s");
    expect(judged(23, 8.3, "forced")).toBe("forecast 23 s, forced after 8.3 s");
    expect(judged(null, 7.1)).toBeNull();
  });

  it("is in the title of the tab, as is a process that does not answer", () => {
    const heard = { service: "shop", stage: "draining", live: 36, shutdown: { pending: 23, report: null } } as unknown as Summary;
    const title = (link: Partial<Link>, rest: Partial<Parameters<typeof titleOf>[1]> = {}, of = heard) => titleOf(of, { link: { state: "live", seen: 0, failures: 0, silent: false, ...link }, report: null, task: null, now: 1_000, ...rest });
    expect(title({})).toBe("draining, 23 left · shop");
    expect(title({ state: "lost", failures: 1 })).toBe("gone, 23 left when last seen · shop");
    expect(title({ state: "lost", failures: 1 }, { report })).toBe("drained in 7.1 s, 26 tasks abandoned · shop");
    const peace = { ...heard, shutdown: null };
    expect(title({}, {}, peace)).toBe("36 live · shop");
    expect(title({}, { task: "#17 send-email" }, peace)).toBe("#17 send-email · shop");
    expect(title({ state: "lost", failures: 1 }, {}, peace)).toBe("no answer · shop");
    expect(title({ state: "lost", failures: 1 }, { now: 20_000 }, peace)).toBe("gone · shop");
  });
});

describe("attention", () => {
  const to = (link: Partial<Attention["link"]>): Attention["link"] => ({ view: "tasks", task: null, query: null, group: null, ...link });

  it("leads to the task, or to the list narrowed by its controls", () => {
    expect(addressOf(to({ view: "task", task: 9 }))).toBe("?view=task&task=9");
    expect(addressOf(to({ query: "state:blocked group:7" }))).toBe("?view=tasks&state=blocked&group=7");
    expect(addressOf(to({ view: "finished", query: "group:3 outcome:error,panic" }))).toBe("?view=finished&q=outcome%3Aerror%2Cpanic&group=3");
    expect(addressOf(to({ view: "group", group: 3 }))).toBe("?open=3");
  });

  it("is five at most, the gravest first, and knows whose warnings are said", () => {
    const item = (severity: Attention["severity"], sentence: string, link = to({})): Attention => ({ severity, sentence, since: null, location: null, link });
    const attention = [item("notice", "n"), item("warning", "w"), item("critical", "group-2 #9 has not yielded for 5 m", to({ view: "task", task: 9 })), ...Array.from({ length: 4 }, () => item("notice", "more"))];
    const shown = attentionOf({ attention } as Summary, [group(1), group(2)]);
    expect(shown.items.map(({ severity }) => severity)).toEqual(["critical", "warning", "notice", "notice", "notice"]);
    expect(shown.more).toBe(2);
    expect([...shown.groups]).toEqual([2]);
  });

  it("comes from warnings where the server has none", () => {
    const blocked = group(2, { warnings: [{ code: "blocked", text: "1 task has not yielded for more than 64s" }] });
    const { items } = attentionOf({} as Summary, [group(1), blocked]);
    expect(items).toMatchObject([{ severity: "critical", sentence: "group-2: 1 task has not yielded for more than 1\u00a0m\u00a04\u00a0s" }]);
  });
});

describe("what is heard", () => {
  const summary = (groups: Partial<Group>[], rest: Partial<Summary> = {}) => ({ instance: "i", live: 1, groups_total: 3, groups, ...rest }) as Summary;

  it("is added up from changes, and a group is the same object while only its age grows", () => {
    const book = new Book("i");
    expect(book.hear({ delta: true, groups: [] }, 0)).toBe(false);
    book.hear(summary([group(1), group(2)]), 1_000);
    const [first] = book.list();
    expect(book.missing).toBe(1);
    book.hear({ delta: true, live: 7, groups: [{ id: 2, live: 9 } as Group] }, 2_000);
    expect(book.summary).toMatchObject({ live: 7, groups_total: 3 });
    // Changes to a group that was never heard of in full make no group.
    book.hear({ delta: true, groups: [{ id: 3, live: 4 } as Group] }, 2_500);
    expect(book.missing).toBe(1);
    expect(book.list().map(({ live }) => live)).toEqual([1, 9]);
    book.hear(summary([group(1, { oldest_age_seconds: 8 })]), 4_000);
    expect(book.list()[0]).toBe(first);
    expect(groupAt(first!)).toBe(1_000);
    expect(book.list()).toBe(book.list());
  });

  it("stands the gravest first, and keeps its order otherwise", () => {
    const book = new Book("i");
    const warned = group(3, { warnings: [{ code: "blocked", text: "" }] });
    book.hear(summary([group(1), group(2, { warnings: [{ code: "growing", text: "" }] }), warned]), 0);
    expect(book.list().map(({ id }) => id)).toEqual([3, 2, 1]);
    book.hear(summary([group(1, { live: 99 })]), 1);
    expect(book.list().map(({ id }) => id)).toEqual([3, 2, 1]);
  });
});

describe("a long table", () => {
  it("draws what is in sight and what is pinned, and keeps the height of the rest", () => {
    const runs = runsOf(100, [10, 20], () => 29, (index) => index === 50);
    expect(runs).toEqual([{ height: 290, key: "before-0" }, { from: 10, to: 20 }, { height: 870, key: "before-20" }, { from: 50, to: 51 }, { height: 1_421, key: "before-51" }]);
  });
});

describe("times and durations", () => {
  it("are in the page's words whoever wrote them", () => {
    const words = (sentence: string) => inWords(sentence).replaceAll("\u00a0", " ");
    expect(words("29s after its start")).toBe("29 s after its start");
    expect(words("for 64s against 1m 4s and 2h 14m")).toBe("for 1 m 4 s against 1 m 4 s and 2 h 14 m");
    expect(words("took more than 10ms, about 6.2 s, at resize-3d, v2m")).toBe("took more than 10 ms, about 6.2 s, at resize-3d, v2m");
  });

  it("are estimates to the second, or bounds", () => {
    expect(estimate(270, "about")).toBe("about 4 m 30 s");
    expect(estimate(300, "at_most")).toBe("≤ 5 m");
    expect(estimate(0.2, null)).toBe("about 1 s");
    expect(text([])).toBe("");
  });

  it("are in UTC for all", () => {
    expect(utcTime("2026-11-25T19:12:25.123Z")).toBe("2026-11-25 19:12:25.123 UTC");
    const now = new Date("2026-11-25T23:00:00Z");
    expect(clock("2026-11-25T19:12:25.123Z", { now, utc: true })).toBe("19:12:25");
    expect(clock("2026-11-25T19:12:25.123Z", { now, utc: true, millis: true })).toBe("19:12:25.123");
    expect(clock("2026-11-24T19:12:25Z", { now, utc: true })).toBe("2026-11-24 19:12:25");
  });
});
