// An invented process: tasks that come and go, and a shutdown that runs its course.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { FinishedTask, Group, Lifetime, Outcome, OutcomeCounts, Report, Shutdown, Stage, State, Summary, Task, TaskDetail, Trends, Usual } from "../src/wire.ts";

interface Recipe {
  name: string;
  kind: Task["kind"];
  labels: Record<string, string>;
  location: string;
  seconds: number;
  weight: number;
  fails: number;
}

interface Live {
  id: number;
  recipe: number;
  started: number;
  ends: number;
  parent: number | null;
}

const RECIPES: Recipe[] = [
  { name: "send-email", kind: "task", labels: { provider: "ses" }, location: "src/signup.rs:41", seconds: 6, weight: 26, fails: 0.02 },
  { name: "push-notification", kind: "task", labels: { platform: "ios" }, location: "src/signup.rs:58", seconds: 3, weight: 14, fails: 0 },
  { name: "thumbnail", kind: "blocking", labels: {}, location: "src/images.rs:112", seconds: 4, weight: 8, fails: 0.04 },
  { name: "webhook", kind: "task", labels: { partner: "acme" }, location: "src/hooks.rs:77", seconds: 9, weight: 6, fails: 0.12 },
  { name: "index-rebuild", kind: "task", labels: {}, location: "src/index.rs:88", seconds: 58, weight: 1, fails: 0 },
  { name: "<script>alert(1)</script>", kind: "task", labels: { "quo\"te": "a\nb" }, location: "src/hostile.rs:1", seconds: 12, weight: 1, fails: 0.5 },
  { name: "shop::cart::expire", kind: "local", labels: {}, location: "src/cart.rs:203", seconds: 20, weight: 2, fails: 0 },
  { name: "GET /checkout", kind: "request", labels: {}, location: "src/main.rs:31", seconds: 1, weight: 2, fails: 0 },
];

const STATUS = ["rendering", "batch 3/10", "waiting for ses", "retry 2 after 503", null, "writing", null];
const BUDGET = 25;

export class World {
  readonly instance = Math.random().toString(16).slice(2, 14);
  readonly actions: boolean;
  private readonly pid = 3_000 + Math.floor(Math.random() * 60_000);
  private readonly started = Date.now() - 273_900_000;
  private readonly target: number;
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly watchers = new Set<ServerResponse>();
  private live: Live[] = [];
  private readonly history: FinishedTask[] = [];
  private readonly trendLive: number[] = [];
  private readonly totals = RECIPES.map(() => ({ spawned: 0, finished: none() }));
  private ids = 0;
  private stage: Stage = "running";
  private stop: { reason: string; at: number; total: number; budget: number; burn: [number, number][]; forced: string | null; ended: FinishedTask[] } | null = null;
  private report: Report | null = null;
  private exitAt = Infinity;

  constructor(options: { tasks: number; actions: boolean }) {
    this.target = options.tasks;
    this.actions = options.actions;
    for (let made = 0; made < options.tasks; made += 1) this.spawn(true);
    if (options.tasks > 0) for (let past = 0; past < 300; past += 1) this.past();
    for (let point = 0; point < 120; point += 1) this.trendLive.push(Math.round(options.tasks * (0.75 + 0.2 * Math.sin(point / 9) + 0.1 * Math.random())));
    this.timer = setInterval(() => this.tick(), 250);
    this.timer.unref();
  }

  end(): void {
    clearInterval(this.timer);
    for (const watcher of this.watchers) watcher.socket?.destroy();
    this.watchers.clear();
  }

  exited(): boolean {
    return this.exitAt < Date.now();
  }

  signal(name: string): void {
    if (this.stop !== null) return this.force(name);
    this.stage = "draining";
    this.stop = { reason: name, at: Date.now(), total: this.live.length, budget: BUDGET, burn: [[0, this.live.length]], forced: null, ended: [] };
    this.tell("summary", this.heard());
  }

  force(by: string): void {
    if (this.stop === null || this.report !== null) return;
    this.stop.forced = by;
    this.finish("forced");
  }

  extend(seconds: number): void {
    if (this.stop !== null) this.stop.budget += seconds;
    this.tell("summary", this.heard());
  }

  cancel(id: number): boolean {
    const task = this.live.find((one) => one.id === id);
    if (task === undefined || RECIPES[task.recipe]!.kind === "blocking") return false;
    this.finishTask(task, "cancelled");
    this.live = this.live.filter((one) => one.id !== id);
    return true;
  }

  watch(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader("content-type", "text/event-stream");
    response.flushHeaders();
    const { service, version, instance, pid, started_at } = this.summary();
    response.write(`event: hello\ndata: ${JSON.stringify({ service, version, instance, pid, started_at })}\n\n`);
    response.write(`event: summary\ndata: ${JSON.stringify(this.heard())}\n\n`);
    if (this.report !== null) return void response.end(`event: report\ndata: ${JSON.stringify(this.report)}\n\n`);
    this.watchers.add(response);
    request.on("close", () => this.watchers.delete(response));
  }

  private ticks = 0;

  private tick(): void {
    this.ticks += 1;
    const now = Date.now();
    const ending = this.live.filter((task) => task.ends < now).slice(0, 500);
    for (const task of ending) this.finishTask(task, Math.random() < RECIPES[task.recipe]!.fails ? (Math.random() < 0.2 ? "panic" : "error") : "ok");
    const gone = new Set(ending.map((task) => task.id));
    this.live = this.live.filter((task) => !gone.has(task.id));
    if (this.stop === null) while (this.live.length < this.target && Math.random() < 0.97) this.spawn(false);
    else this.drainStep(now);
    if (this.ticks % 20 === 0) this.trendLive.push(this.live.length);
    if (this.ticks % 4 === 0) this.tell("summary", this.heard());
    if (this.exited()) this.end();
  }

  private drainStep(now: number): void {
    const stop = this.stop!;
    if (this.report !== null) return;
    const elapsed = (now - stop.at) / 1_000;
    if (this.ticks % 2 === 0) stop.burn.push([elapsed, this.live.length]);
    if (this.live.length === 0) this.finish("drained");
    else if (stop.budget < elapsed) this.finish("deadline");
  }

  private finish(result: Report["result"]): void {
    const stop = this.stop!;
    const left = this.live.map((task) => this.task(task));
    for (const task of this.live) this.finishTask(task, "aborted");
    this.live = [];
    this.stage = "done";
    const ended = none();
    for (const task of stop.ended) ended[task.outcome] += 1;
    this.report = {
      service: "shop-api", instance: this.instance, pid: this.pid, reason: stop.reason, result, forced_by: stop.forced,
      exit_code: result === "drained" ? 0 : result === "deadline" ? 124 : stop.forced === "SIGINT" ? 130 : stop.forced === "SIGTERM" ? 143 : 1,
      started_at: new Date(stop.at).toISOString(), duration_seconds: (Date.now() - stop.at) / 1_000, ended, late_spawns: 0,
      abandoned_total: left.length, abandoned: left.slice(0, 1_000).map((task) => ({ ...task, aborted: task.kind !== "blocking" })), detached_total: 0, detached: [],
    };
    this.tell("summary", this.heard());
    this.tell("report", this.report);
    for (const watcher of this.watchers) watcher.end();
    this.watchers.clear();
    this.exitAt = Date.now() + 1_500;
  }

  private tell(event: string, value: unknown): void {
    for (const watcher of this.watchers) watcher.write(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`);
  }

  private spawn(old: boolean): void {
    const index = pick();
    const recipe = RECIPES[index]!;
    const seconds = recipe.seconds * (0.3 + 1.4 * Math.random());
    const started = Date.now() - (old ? Math.random() * seconds * 900 : 0);
    const stuck = recipe.name === "index-rebuild" && old;
    this.ids += 1;
    this.totals[index]!.spawned += 1;
    const parent = this.ids % 7 === 0 ? (this.live.at(-1)?.id ?? null) : null;
    this.live.push({ id: this.ids, recipe: index, started: stuck ? started - 360_000 : started, ends: stuck ? Infinity : started + seconds * 1_000, parent });
  }

  private past(): void {
    this.spawn(true);
    const task = this.live.pop()!;
    this.finishTask({ ...task, ends: Date.now() - Math.random() * 600_000 }, Math.random() < RECIPES[task.recipe]!.fails ? "error" : "ok");
  }

  private finishTask(task: Live, outcome: Outcome): void {
    this.totals[task.recipe]!.finished[outcome] += 1;
    const end = Math.min(Date.now(), task.ends);
    const message = outcome === "error" ? "connection reset by peer (os error 104)" : outcome === "panic" ? "index out of bounds: the len is 3 but the index is 7\nat src/images.rs:131" : null;
    const finished: FinishedTask = { ...this.task(task), outcome, duration_seconds: Math.max(0.01, (end - task.started) / 1_000), finished_at: new Date(end).toISOString(), message };
    this.history.unshift(finished);
    this.history.length = Math.min(this.history.length, 2_000);
    this.stop?.ended.unshift(finished);
  }

  private task(one: Live): Task {
    const recipe = RECIPES[one.recipe]!;
    const now = Date.now();
    const lived = Math.max(0, now - one.started) / 1_000;
    const whole = Number.isFinite(one.ends) ? (one.ends - one.started) / 1_000 : 600;
    const state: State = recipe.name === "index-rebuild" ? "blocked" : recipe.kind === "blocking" ? (one.id % 9 === 0 ? "queued" : "running") : (["idle", "idle", "running", "idle", "idle"] as const)[one.id % 5]!;
    const status = STATUS[one.id % STATUS.length]!;
    const progress = one.id % 3 === 0 ? { done: Math.min(10, Math.floor((10 * lived) / whole)), total: 10 } : null;
    return {
      id: one.id, name: recipe.name, kind: recipe.kind, labels: recipe.labels, fields: one.id % 2 === 0 ? { order_id: String(40_000 + one.id) } : {},
      state, state_seconds: Math.min(lived, (one.id % 30) / 10), cancellable: recipe.kind !== "blocking" && recipe.kind !== "request", age_seconds: lived,
      started_at: new Date(one.started).toISOString(), busy_seconds: lived * (state === "blocked" ? 0.9 : 0.02), polls: Math.floor(lived * 14) + 1, status, progress,
      location: recipe.location, parent: one.parent, on_shutdown: "wait", grace_seconds: null, usual: usualOf(recipe),
    };
  }

  find(query: URLSearchParams): Task[] {
    const wanted = ["kind", "state", "name"].filter((key) => query.has(key));
    const q = (query.get("q") ?? "").toLowerCase();
    const group = query.get("group");
    let found = this.live.filter((one) => group === null || one.recipe === Number(group)).map((one) => this.task(one));
    found = found.filter((task) => wanted.every((key) => task[key as "kind"] === query.get(key)));
    if (q !== "") found = found.filter((task) => JSON.stringify(task).toLowerCase().includes(q));
    const sort = query.get("sort") ?? "age";
    const sign = (query.get("order") ?? (sort === "name" ? "asc" : "desc")) === "asc" ? 1 : -1;
    const key = (task: Task) => (sort === "name" ? task.name : sort === "busy" ? task.busy_seconds : sort === "polls" ? task.polls : task.age_seconds);
    return found.sort((one, other) => (key(one) < key(other) ? -sign : sign));
  }

  findFinished(query: URLSearchParams): FinishedTask[] {
    const q = (query.get("q") ?? "").toLowerCase();
    const group = query.get("group");
    return this.history
      .filter((task) => !query.has("outcome") || task.outcome === query.get("outcome"))
      .filter((task) => group === null || task.name === RECIPES[Number(group)]?.name)
      .filter((task) => q === "" || JSON.stringify(task).toLowerCase().includes(q))
      .sort((one, other) => (one.finished_at < other.finished_at ? 1 : -1));
  }

  detail(id: number): TaskDetail | null {
    const one = this.live.find((task) => task.id === id);
    const past = this.history.find((task) => task.id === id);
    const base = one !== undefined ? this.task(one) : past;
    if (base === undefined) return null;
    const parent = base.parent === null ? undefined : this.live.find((task) => task.id === base.parent);
    const children = this.live.filter((task) => task.parent === id).map((task) => this.task(task));
    return {
      ...base, outcome: past?.outcome ?? null, duration_seconds: past?.duration_seconds ?? null, finished_at: past?.finished_at ?? null, message: past?.message ?? null,
      ancestors: base.parent === null ? [] : [{ id: base.parent, name: parent === undefined ? null : RECIPES[parent.recipe]!.name, state: parent === undefined ? null : "idle", outcome: null }],
      children, children_total: children.length,
      status_history: [{ at: base.started_at, status: "connecting" }, { at: base.started_at, status: "batch 1/10" }, { at: base.started_at, status: base.status ?? "batch 2/10" }],
    };
  }

  summary(): Summary {
    const counts = none();
    for (const { finished } of this.totals) for (const outcome of Object.keys(counts) as Outcome[]) counts[outcome] += finished[outcome];
    const groups = RECIPES.map((_, index) => this.group(index)).filter((group) => group.spawned > 0);
    return {
      service: "shop-api", version: "0.1.0", instance: this.instance, pid: this.pid, started_at: new Date(this.started).toISOString(), uptime_seconds: (Date.now() - this.started) / 1_000,
      stage: this.stage, live: this.live.length, blocked: this.live.filter((one) => RECIPES[one.recipe]!.name === "index-rebuild").length,
      spawned: this.totals.reduce((sum, total) => sum + total.spawned, 0), finished: counts, untracked: 14,
      spawned_per_second: this.target / 6.4, finished_per_second: this.target / 6.5, busy_share: 0.18 + 0.1 * Math.random(), failed_share: 0.012,
      groups, groups_total: groups.length, lifetime: LIFETIME, shutdown: this.shutdown(), actions: this.actions,
    };
  }

  private heard(): Summary {
    return this.summary();
  }

  private group(index: number): Group {
    const recipe = RECIPES[index]!;
    const live = this.live.filter((one) => one.recipe === index);
    const oldest = live.reduce<Live | null>((old, one) => (old === null || one.started < old.started ? one : old), null);
    const { spawned, finished } = this.totals[index]!;
    const failure = this.history.find((task) => task.name === recipe.name && (task.outcome === "error" || task.outcome === "panic"));
    const stuck = recipe.name === "index-rebuild" && oldest !== null;
    return {
      id: index, name: recipe.name, kind: recipe.kind, labels: recipe.labels, location: recipe.location, live: live.length, blocked: stuck ? live.length : 0, spawned, finished, polls: spawned * 40, slow_polls: stuck ? 12 : 0,
      busy_seconds: spawned * 0.4, usual: usualOf(recipe), oldest_age_seconds: oldest === null ? null : (Date.now() - oldest.started) / 1_000, oldest_task: oldest?.id ?? null,
      last_failure: failure === undefined ? null : { at: failure.finished_at, task: failure.id, outcome: failure.outcome, message: failure.message },
      spawned_per_second: live.length / recipe.seconds, finished_per_second: live.length / recipe.seconds, busy_share: stuck ? 0.38 : recipe.kind === "blocking" ? 0.71 : 0.02, failed_share: finished.ok === 0 ? null : recipe.fails / 2,
      warnings: stuck ? [{ code: "stuck", text: `The oldest has run ${((Date.now() - oldest.started) / 78_000).toFixed(0)} times longer than this group's p99 of 78 s.` }] : recipe.fails > 0.1 && recipe.fails < 0.5 ? [{ code: "failing", text: "6 % of what finished in the last minute failed; over its life it was 1 %." }] : [],
    };
  }

  private shutdown(): Shutdown | null {
    const stop = this.stop;
    if (stop === null) return null;
    const elapsed = this.report?.duration_seconds ?? (Date.now() - stop.at) / 1_000;
    const oldest = [...this.live].sort((one, other) => one.started - other.started);
    const rest = new Map<string, number>();
    for (const task of oldest.slice(20)) rest.set(RECIPES[task.recipe]!.name, (rest.get(RECIPES[task.recipe]!.name) ?? 0) + 1);
    const longest = Math.max(0, ...this.live.map((task) => (Number.isFinite(task.ends) ? (task.ends - Date.now()) / 1_000 : 0)));
    return {
      reason: stop.reason, started_at: new Date(stop.at).toISOString(), elapsed_seconds: elapsed, stage: this.stage, deadline_at: new Date(stop.at + stop.budget * 1_000).toISOString(),
      remaining_seconds: Math.max(0, stop.budget - elapsed), budget_seconds: stop.budget, exit_at: null, forced_by: stop.forced, total: stop.total, ended: stop.ended.length, pending: this.live.length,
      pending_requests: this.live.filter((task) => RECIPES[task.recipe]!.kind === "request").length, estimate_seconds: this.live.length === 0 ? 0 : longest,
      burn_down: stop.burn.filter((_, index) => index % Math.ceil(stop.burn.length / 120) === 0), tasks: oldest.slice(0, 20).map((task) => this.task(task)), rest: [...rest].map(([name, count]) => ({ name, count })),
      recently_ended: stop.ended.slice(0, 20).map(({ id, name, outcome, duration_seconds }) => ({ id, name, outcome, duration_seconds })), report: this.report,
    };
  }

  trends(): Trends {
    const live = this.trendLive.slice(-120);
    const scaled = (by: number) => live.map((value) => value * by * (0.9 + 0.2 * Math.random()));
    return {
      interval_seconds: 5, until: new Date().toISOString(), live, finished_per_second: scaled(0.16), failed_per_second: scaled(0.002), busy_share: live.map(() => 0.15 + 0.15 * Math.random()),
      groups: RECIPES.map((recipe, id) => ({ id, live: live.map((value) => Math.round((value * recipe.weight * (0.7 + 0.6 * Math.random())) / 60)) })),
    };
  }
}

const LIFETIME: Lifetime = {
  signals: ["SIGINT", "SIGTERM"], drain_timeout_seconds: BUDGET, announce_delay_seconds: 3, abort_grace_seconds: 1, hook_timeout_seconds: 1, exit_after_seconds: 29, platform_grace_seconds: 30, linger: "auto", late_spawns: "adopt", request_limit: null,
  sentences: ["SIGINT or SIGTERM begins a shutdown.", "Tasks are then waited for, up to 25 s, announcing included.", "A second signal aborts what is left; a third ends the process at once.", "29 s after the start the process exits, whatever still holds it."],
};

function pick(): number {
  const total = RECIPES.reduce((sum, recipe) => sum + recipe.weight, 0);
  let at = Math.random() * total;
  return Math.max(0, RECIPES.findIndex((recipe) => (at -= recipe.weight) < 0));
}

function usualOf(recipe: Recipe): Usual {
  return { count: 1_284, p50_seconds: recipe.seconds, p95_seconds: recipe.seconds * 1.5, p99_seconds: recipe.seconds * 1.7 };
}

function none(): OutcomeCounts {
  return { ok: 0, error: 0, panic: 0, cancelled: 0, aborted: 0 };
}
