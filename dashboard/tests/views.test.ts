import { describe, expect, it } from "vitest";
import { sparkPath } from "../src/parts/spark.tsx";
import { HOME } from "../src/place.ts";
import { Trend } from "../src/trend.ts";
import { budgetOf } from "../src/views/budget.ts";
import { filterOf } from "../src/views/filters.ts";
import { nextSort, sortGroups } from "../src/views/sorting.ts";
import { headline, verdict } from "../src/views/verdict.ts";
import type { Group, Lifetime, Report, Shutdown, Summary } from "../src/wire.ts";

const LIFETIME: Lifetime = {
  signals: ["SIGTERM"], drain_timeout_seconds: 25, announce_delay_seconds: 3, abort_grace_seconds: 1, hook_timeout_seconds: 1, exit_after_seconds: 29,
  platform_grace_seconds: 30, linger: "off", late_spawns: "adopt", request_limit: null, sentences: [],
};

function group(id: number, name: string, rest: Partial<Group> = {}): Group {
  return { id, name, kind: "task", labels: {}, location: "src/main.rs:1", live: id, oldest_age_seconds: null, ...rest } as Group;
}

function report(rest: Partial<Report>): Report {
  return { result: "drained", forced_by: null, duration_seconds: 9.8, abandoned_total: 0, ...rest } as Report;
}

describe("groups", () => {
  const groups = [group(1, "send-email", { labels: { provider: "ses" } }), group(2, "Index", { oldest_age_seconds: 9 }), group(3, "thumbnail", { kind: "blocking" })];
  const names = (found: Group[]) => found.map(({ name }) => name);

  it("stand as given until sorted", () => {
    expect(sortGroups(groups, null, null)).toBe(groups);
    expect(sortGroups(groups, "nonsense", "asc")).toBe(groups);
  });

  it("sort by figure and by name, without one last", () => {
    expect(names(sortGroups(groups, "live", "desc"))).toEqual(["thumbnail", "Index", "send-email"]);
    expect(names(sortGroups(groups, "name", "asc"))).toEqual(["Index", "send-email", "thumbnail"]);
    expect(names(sortGroups(groups, "oldest", "asc"))[0]).toBe("Index");
    expect(names(sortGroups(groups, "oldest", "desc"))[0]).toBe("Index");
  });

  const found = (q: string) => {
    const filter = filterOf(q);
    return "problem" in filter ? filter.problem : names(groups.filter(filter.test));
  };

  it("are found by every word, in any case", () => {
    expect(found("EMAIL provider=SES")).toEqual(["send-email"]);
    expect(found("blocking")).toEqual(["thumbnail"]);
    expect(found("email blocking")).toEqual([]);
    expect(found("")).toHaveLength(3);
  });

  it("are found by filters, and what is no filter is refused in words", () => {
    expect(found("label.provider:ses live:<5")).toEqual(["send-email"]);
    expect(found("age:>5s")).toEqual(["Index"]);
    expect(found("age:>1m")).toEqual([]);
    expect(found("kind:blocking live:>=3")).toEqual(["thumbnail"]);
    expect(found('name:"send-email"')).toEqual(["send-email"]);
    expect(found("colour:red")).toContain("is no filter of groups");
    expect(found("live:many")).toContain("is no figure");
    expect(found("my::path")).toEqual([]);
  });

  it("a head is clicked down, up and back", () => {
    const first = nextSort(HOME, "live");
    const second = nextSort({ ...HOME, ...first }, "live");
    expect([first.order, second.order, nextSort({ ...HOME, ...second }, "live").sort]).toEqual(["desc", "asc", null]);
    expect(nextSort(HOME, "name").order).toBe("asc");
  });
});

describe("the trend", () => {
  const heard = (uptime: number, live: number, errors: number) =>
    ({ started_at: "2026-01-01T00:00:00Z", uptime_seconds: uptime, live, finished: { error: errors, panic: 0 }, finished_per_second: 1, busy_share: null, groups: [] }) as unknown as Summary;

  it("continues what the server remembers", () => {
    const trend = new Trend();
    trend.fill({ interval_seconds: 5, until: "2026-01-01T00:01:00Z", live: [1, 2], finished_per_second: [], failed_per_second: [], busy_share: [], groups: [{ id: 4, live: [7] }] });
    trend.add(heard(66, 3, 0));
    expect(trend.points("live").slice(-3)).toEqual([1, 2, 3]);
    expect(trend.points("busy").at(-1)).toBeNull();
    expect(trend.groupPoints(4).at(-1)).toBe(7);
    expect(trend.groupPoints(5)).toEqual([]);
  });

  it("takes failures from totals over ten seconds", () => {
    const trend = new Trend();
    for (let second = 0; second <= 20; second += 1) trend.add(heard(second, 1, second * 2));
    expect(trend.points("failed").at(-1)).toBe(2);
  });
});

describe("the time from signal to end", () => {
  it("is drawn in order and to scale", () => {
    const { spans, moments, total } = budgetOf(LIFETIME);
    expect(spans.map(({ name, from, to }) => [name, from, to])).toEqual([["announce", 0, 3], ["drain", 3, 25], ["abort", 25, 27], ["margin", 27, 29]]);
    expect(moments.map(({ at }) => at)).toEqual([0, 3, 25, 27, 29, 30]);
    expect(total).toBeGreaterThanOrEqual(30);
  });

  it("has no deadline where there is none", () => {
    const { spans, moments } = budgetOf({ ...LIFETIME, drain_timeout_seconds: null, exit_after_seconds: null, platform_grace_seconds: null, announce_delay_seconds: 0 });
    expect(spans.map(({ name }) => name)).toEqual(["drain"]);
    expect(moments.map(({ name }) => name)).toEqual(["signal"]);
  });
});

describe("the end in words", () => {
  const stopping = { reason: "SIGTERM", pending: 2 } as Shutdown;

  it("says how it came out", () => {
    expect(verdict(report({}))).toBe("drained in 9.8 s");
    expect(verdict(report({ result: "forced", forced_by: "SIGINT", abandoned_total: 2 }))).toBe("forced by SIGINT, 2 tasks abandoned");
    expect(verdict(report({ result: "deadline", abandoned_total: 1 }))).toBe("deadline passed, 1 task abandoned");
    expect(verdict(report({ abandoned_total: 1 }))).toBe("drained in 9.8 s, 1 task abandoned");
  });

  it("heads the page from beginning to end", () => {
    expect(headline("draining", stopping, null, false)).toBe("Draining · SIGTERM");
    expect(headline("done", stopping, report({}), false)).toBe("Done · drained in 9.8 s");
    expect(headline("done", stopping, report({}), true)).toBe("Gone · drained in 9.8 s");
    expect(headline("draining", stopping, null, true)).toBe("Gone · no report, 2 tasks left when last seen");
  });
});

describe("a spark", () => {
  it("breaks where nothing is known and stays at the foot without a value", () => {
    expect(sparkPath([0, 10, null, 5], 30, 13)).toBe("M0 12L10 2M30 7");
    expect(sparkPath([0, 0], 10, 10)).toBe("M0 9L10 9");
    expect(sparkPath([], 10, 10)).toBe("");
  });
});
