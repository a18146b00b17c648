// An invented process: tasks that come and go, and a shutdown that runs its course.

import type { IncomingMessage, ServerResponse } from "node:http";
import type {
  Attention, FailureGroup, FinishedTask, Forecast, Group, Hold, Lifetime, OnShutdown, Outcome, OutcomeCounts, Report, Severity, Shutdown, Stage, State, Summary, Task, TaskDetail, Trends,
  Usual,
} from "../src/wire.ts";

interface Recipe {
  name: string;
  kind: Task["kind"];
  labels: Record<string, string>;
  location: string;
  seconds: number;
  weight: number;
  fails: number;
  /** So many live at all times, and never end by themselves. */
  always?: number;
  on?: OnShutdown;
  /** The recipe whose task has spawned these. */
  of?: string;
  state?: State;
  status?: string;
  progress?: { done: number; total: number };
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
  { name: "<script>alert(1)</script>", kind: "task", labels: { "quo\"te": "a\nb" }, location: "src/hostile.rs:1", seconds: 12, weight: 1, fails: 0.5 },
  { name: "shop::cart::expire", kind: "local", labels: {}, location: "src/cart.rs:203", seconds: 20, weight: 2, fails: 0 },
  { name: "GET /checkout", kind: "request", labels: {}, location: "src/main.rs:31", seconds: 1, weight: 2, fails: 0 },
];

/** What makes an incident: something of each kind that holds up a stop. */
const INCIDENT: Recipe[] = [
  { name: "index-rebuild", kind: "task", labels: {}, location: "src/index.rs:88", seconds: 36, weight: 0, fails: 0, always: 1, state: "idle" },
  { name: "blocked-cpu", kind: "task", labels: {}, location: "src/main.rs:50", seconds: 2, weight: 0, fails: 0, always: 1, state: "blocked" },
  { name: "resize-video", kind: "blocking", labels: { codec: "h264" }, location: "src/video.rs:12", seconds: 30, weight: 0, fails: 0, always: 1, state: "running" },
  { name: "audit-log", kind: "task", labels: {}, location: "src/audit.rs:9", seconds: 900, weight: 0, fails: 0, always: 1, on: "last", state: "idle" },
  { name: "warm-cache", kind: "task", labels: {}, location: "src/cache.rs:77", seconds: 900, weight: 0, fails: 0, always: 2, on: "detach", state: "idle" },
  { name: "reindex", kind: "task", labels: {}, location: "src/index.rs:140", seconds: 280, weight: 0, fails: 0, always: 1, state: "idle", status: "a status that says at length, in one long breath, what this task is doing at the moment and why it takes its time", progress: { done: 77, total: 1_000 } },
  { name: "import", kind: "task", labels: {}, location: "src/import.rs:8", seconds: 900, weight: 0, fails: 0, always: 1, state: "idle" },
  { name: "import-file", kind: "task", labels: {}, location: "src/import.rs:31", seconds: 900, weight: 0, fails: 0, always: 3, state: "idle", of: "import" },
  { name: "flaky-webhook", kind: "task", labels: { partner: "globex" }, location: "src/hooks.rs:91", seconds: 0.7, weight: 3, fails: 1 },
];

function shard(number: number): Recipe {
  return { name: "shard", kind: "task", labels: { shard: String(number) }, location: "src/shards.rs:20", seconds: 300, weight: 0, fails: 0, always: 1, state: "idle" };
}

const STATUS = ["rendering", "batch 3/10", "waiting for ses", "retry 2 after 503", null, "writing", null];
/** Seconds that a stop takes at most, announcing included. */
export const BUDGET = 25;

export class World {
  readonly instance = Math.random().toString(16).slice(2, 14);
  readonly actions: boolean;
  private readonly pid = 3_000 + Math.floor(Math.random() * 60_000);
  private readonly started = Date.now() - 273_900_000;
  private readonly target: number;
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly watchers = new Set<ServerResponse>();
  private live: Live[] = [];
  /** How many live tasks each has spawned; null where that has changed since it was counted. */
  private children: Map<number, number> | null = null;
  private readonly history: FinishedTask[] = [];
  private readonly trendLive: number[] = [];
  private readonly recipes: Recipe[];
  private readonly totals: { spawned: number; finished: Required<OutcomeCounts> }[];
  private announce: number;
  private readonly budget: number;
  private readonly sent = new Map<number, string>();
  private ids = 0;
  private stage: Stage = "running";
  private stop: { reason: string; at: number; total: number; budget: number; burn: [number, number][]; forced: string | null; ended: FinishedTask[]; forecast: number | null } | null = null;
  private report: Report | null = null;
  private exitAt = Infinity;

  constructor(options: { tasks: number; actions: boolean; incident?: boolean; groups?: number; announce?: number; budget?: number; reports?: Report[] }) {
    this.target = options.tasks;
    this.actions = options.actions;
    this.announce = options.announce ?? 0;
    this.budget = options.budget ?? BUDGET;
    this.reports = options.reports ?? [];
    this.recipes = [...RECIPES, ...(options.incident === true ? INCIDENT : []), ...Array.from({ length: options.groups ?? 0 }, (_, number) => shard(number))];
    this.totals = this.recipes.map(() => ({ spawned: 0, finished: none() }));
    this.recipes.forEach((recipe, index) => {
      for (let made = 0; made < (recipe.always ?? 0); made += 1) this.spawnAlways(index);
    });
    for (let made = 0; made < options.tasks; made += 1) this.spawn(true);
    if (options.tasks > 0) for (let past = 0; past < 300; past += 1) this.past();
    this.children = null;
    for (let point = 0; point < 120; point += 1) this.trendLive.push(Math.round(options.tasks * (0.75 + 0.2 * Math.sin(point / 9) + 0.1 * Math.random())));
    this.timer = setInterval(() => this.tick(), 250);
    this.timer.unref();
  }

  /** Those of the processes before it, newest first. */
  readonly reports: Report[];

  end(): void {
    clearInterval(this.timer);
    for (const watcher of this.watchers) watcher.socket?.destroy();
    this.watchers.clear();
  }

  lastReport(): Report | null {
    return this.report;
  }

  exited(): boolean {
    return this.exitAt < Date.now();
  }

  signal(name: string): void {
    if (this.stop !== null) return this.force(name);
    this.stage = this.announce > 0 ? "announcing" : "draining";
    const awaited = this.awaited().length;
    this.stop = { reason: name, at: Date.now(), total: awaited, budget: this.budget, burn: [[0, awaited]], forced: null, ended: [], forecast: this.forecast().done_in_seconds };
    this.tell("summary", this.heard());
  }

  /** The announcement is over with the next tick, whatever is left of it. */
  announced(): void {
    if (this.stop !== null) this.announce = Math.min(this.announce, (Date.now() - this.stop.at) / 1_000);
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
    if (task === undefined || this.recipes[task.recipe]!.kind === "blocking") return false;
    this.finishTask(task, "cancelled");
    this.live = this.live.filter((one) => one.id !== id);
    this.children = null;
    return true;
  }

  /** Those that a stop waits for. */
  private awaited(): Live[] {
    return this.live.filter((one) => this.recipes[one.recipe]!.on !== "detach");
  }

  watch(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader("content-type", "text/event-stream");
    response.flushHeaders();
    const { service, version, instance, pid, started_at } = this.summary();
    response.write(`event: hello\ndata: ${JSON.stringify({ service, version, instance, pid, started_at })}\n\n`);
    response.write(`event: summary\ndata: ${JSON.stringify(this.summary())}\n\n`);
    if (this.report !== null) return void response.end(`event: report\ndata: ${JSON.stringify(this.report)}\n\n`);
    this.watchers.add(response);
    request.on("close", () => this.watchers.delete(response));
  }

  private ticks = 0;

  private tick(): void {
    this.ticks += 1;
    const now = Date.now();
    const last = this.stop !== null && this.awaited().every((one) => this.recipes[one.recipe]!.on === "last");
    const ending = this.live.filter((task) => task.ends < now || (last && this.recipes[task.recipe]!.on === "last")).slice(0, 500);
    for (const task of ending) this.finishTask(task, this.outcomeOf(this.recipes[task.recipe]!));
    const gone = new Set(ending.map((task) => task.id));
    this.live = this.live.filter((task) => !gone.has(task.id));
    if (this.stop === null) while (this.live.length < this.target && Math.random() < 0.97) this.spawn(false);
    this.children = null;
    if (this.stop !== null) this.drainStep(now);
    if (this.ticks % 20 === 0) this.trendLive.push(this.live.length);
    if (this.ticks % 4 === 0) this.tell("summary", this.heard());
    if (this.exited()) this.end();
  }

  private outcomeOf({ fails }: Recipe): Outcome {
    if (fails === 1) return "panic";
    return Math.random() < fails ? (Math.random() < 0.2 ? "panic" : "error") : "ok";
  }

  private drainStep(now: number): void {
    const stop = this.stop!;
    if (this.report !== null) return;
    const elapsed = (now - stop.at) / 1_000;
    if (this.stage === "announcing" && this.announce <= elapsed) this.stage = "draining";
    const left = this.awaited().length;
    if (this.ticks % 2 === 0) stop.burn.push([elapsed, left]);
    if (left === 0 && this.stage === "draining") this.finish("drained");
    else if (stop.budget < elapsed) this.finish("deadline");
  }

  private finish(result: Report["result"]): void {
    const stop = this.stop!;
    const elapsed = (Date.now() - stop.at) / 1_000;
    const awaited = this.awaited();
    stop.burn.push([elapsed, awaited.length], [elapsed + 0.1, 0]);
    const left = awaited.map((task) => this.task(task));
    const detached = this.live.filter((one) => !awaited.includes(one)).map((task) => this.task(task));
    for (const task of awaited) this.finishTask(task, "abandoned");
    stop.ended = stop.ended.filter(({ outcome }) => outcome !== "abandoned");
    this.live = [];
    this.children = null;
    this.stage = "done";
    const ended = none();
    for (const task of stop.ended) ended[task.outcome] += 1;
    this.report = {
      service: "shop-api", instance: this.instance, pid: this.pid, reason: stop.reason, result, forced_by: stop.forced,
      exit_code: result === "drained" ? 0 : result === "deadline" ? 124 : stop.forced === "SIGINT" ? 130 : stop.forced === "SIGTERM" ? 143 : 1,
      started_at: new Date(stop.at).toISOString(), duration_seconds: (Date.now() - stop.at) / 1_000, ended, late_spawns: 0, refused_spawns: 0,
      abandoned_total: left.length, abandoned: left.slice(0, 1_000).map((task) => ({ ...task, aborted: task.kind !== "blocking" && task.state !== "blocked", reason: reasonOf(task, result, stop.forced) })),
      detached_total: detached.length, detached: detached.map((task) => ({ ...task, aborted: false, reason: "detached: not waited for" })), forecast_at_start_seconds: stop.forecast,
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
    this.ids += 1;
    const index = pick(this.recipes, this.ids);
    const recipe = this.recipes[index]!;
    const seconds = recipe.seconds * (0.3 + 1.4 * Math.random());
    const started = Date.now() - (old ? Math.random() * seconds * 900 : 0);
    this.totals[index]!.spawned += 1;
    const parent = this.ids % 7 === 0 ? (this.live.at(-1)?.id ?? null) : null;
    this.live.push({ id: this.ids, recipe: index, started, ends: started + seconds * 1_000, parent });
  }

  private spawnAlways(index: number): void {
    this.ids += 1;
    this.totals[index]!.spawned += 1;
    this.live.push({ id: this.ids, recipe: index, started: Date.now() - 314_000, ends: Infinity, parent: this.parentOf(index) });
  }

  private parentOf(index: number): number | null {
    const { of } = this.recipes[index]!;
    return of === undefined ? null : (this.live.find((one) => this.recipes[one.recipe]!.name === of)?.id ?? null);
  }

  private past(): void {
    this.spawn(true);
    const task = this.live.pop()!;
    this.finishTask({ ...task, ends: Date.now() - Math.random() * 600_000 }, Math.random() < this.recipes[task.recipe]!.fails ? "error" : "ok");
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
    const recipe = this.recipes[one.recipe]!;
    const now = Date.now();
    const lived = Math.max(0, now - one.started) / 1_000;
    const whole = Number.isFinite(one.ends) ? (one.ends - one.started) / 1_000 : 600;
    const state: State = recipe.name === "index-rebuild" ? "blocked" : recipe.kind === "blocking" ? (one.id % 9 === 0 ? "queued" : "running") : (["idle", "idle", "running", "idle", "idle"] as const)[one.id % 5]!;
    const status = recipe.status ?? STATUS[one.id % STATUS.length]!;
    const progress = recipe.progress ?? (one.id % 3 === 0 ? { done: Math.min(10, Math.floor((10 * lived) / whole)), total: 10 } : null);
    const on = recipe.on ?? "wait";
    const blocked = (recipe.state ?? state) === "blocked";
    return {
      id: one.id, name: recipe.name, kind: recipe.kind, labels: recipe.labels, fields: one.id % 2 === 0 ? { order_id: String(40_000 + one.id) } : {},
      trace_id: one.id % 2 === 0 ? (0x4bf92f3577b3 + one.id).toString(16).padStart(32, "0") : null,
      state: recipe.state ?? state, state_seconds: recipe.always === undefined ? Math.min(lived, (one.id % 30) / 10) : lived, cancellable: recipe.kind !== "blocking" && recipe.kind !== "request", age_seconds: lived,
      started_at: new Date(one.started).toISOString(), busy_seconds: lived * (state === "blocked" ? 0.9 : 0.02), polls: Math.floor(lived * 14) + 1, status, progress,
      location: recipe.location, parent: one.parent, on_shutdown: on, grace_seconds: null, usual: recipe.always === undefined && recipe.fails < 1 ? usualOf(recipe) : null,
      waits_for: on === "last" ? `Last: notified when ${this.awaited().length - 1} others have ended` : on === "detach" ? "detached: not waited for" : blocked ? "does not yield" : recipe.kind === "blocking" ? "cannot be aborted" : null,
      ...this.etaOf(one, recipe), children_total: this.childrenOf(one.id),
    };
  }

  private childrenOf(id: number): number {
    if (this.children === null) {
      this.children = new Map();
      for (const { parent } of this.live) if (parent !== null) this.children.set(parent, (this.children.get(parent) ?? 0) + 1);
    }
    return this.children.get(id) ?? 0;
  }

  private etaOf(one: Live, recipe: Recipe): Pick<Task, "eta_seconds" | "eta_bound"> {
    if (recipe.progress !== undefined) return { eta_seconds: 270, eta_bound: "about" };
    if (recipe.always !== undefined || !Number.isFinite(one.ends)) return { eta_seconds: null, eta_bound: null };
    return { eta_seconds: Math.max(0.2, (one.ends - Date.now()) / 1_000), eta_bound: recipe.kind === "blocking" ? "at_most" : "about" };
  }

  forecast(within = this.budget): Forecast {
    const left = this.stop === null ? within : Math.max(0, this.stop.budget - (Date.now() - this.stop.at) / 1_000);
    const tasks = this.awaited().slice(0, 2_000).map((one) => this.task(one));
    const hold = (task: Task, reason: string): Hold => ({ task: task.id, name: task.name, count: 1, eta_seconds: task.eta_seconds ?? null, reason });
    const cut = tasks.filter((task) => (task.eta_seconds ?? 0) > left).map((task) => hold(task, `about 4 m 30 s at its pace, cut at ${Math.round(left)} s`));
    const stuck = tasks.filter((task) => task.state === "blocked" || (task.kind === "blocking" && task.eta_seconds === null)).map((task) => hold(task, task.state === "blocked" ? "does not yield" : "a running closure"));
    const doable = tasks.filter((task) => task.eta_seconds != null && task.eta_seconds <= left);
    const known = new Set([...cut, ...stuck].map(({ task }) => task).concat(doable.map(({ id }) => id)));
    const unknown = tasks.filter(({ id, on_shutdown }) => !known.has(id) && on_shutdown !== "last");
    const longest = Math.max(0, ...doable.map((task) => task.eta_seconds ?? 0));
    const names = new Map<string, number>();
    for (const { name } of unknown) names.set(name, (names.get(name) ?? 0) + 1);
    const begin = this.stop === null ? "If stopped now" : "From now on";
    const parts = [`${doable.length} done in about ${Math.ceil(longest)} s`, ...cut.map(({ name, reason }) => `${name} ${reason}`), ...stuck.map(({ name }) => `${name} cannot be aborted`), ...(unknown.length > 0 ? [`${unknown.length} unknown`] : [])];
    return {
      within_seconds: left, done: doable.length, done_in_seconds: doable.length === 0 ? null : longest, band_seconds: doable.length === 0 ? null : [longest * 0.8, longest * 1.4], will_be_cut: cut, cannot_abort: stuck,
      unknown: unknown.length, unknown_names: [...names].map(([name, count]) => ({ name, count })), expected_abandoned: cut.length + stuck.length, sentence: `${begin}: ${parts.join("; ")}.`,
    };
  }

  attention(): Attention[] {
    const found: Attention[] = [];
    const add = (severity: Severity, sentence: string, location: string | null, link: Partial<Attention["link"]>) =>
      found.push({ severity, sentence, since: severity === "notice" ? null : new Date(Date.now() - 314_000).toISOString(), location, link: { view: "group", task: null, query: null, group: null, ...link } });
    for (const one of this.live) {
      const recipe = this.recipes[one.recipe]!;
      if (recipe.state === "blocked") add("critical", `${recipe.name} #${one.id} has not yielded for 5 m`, recipe.location, { view: "task", task: one.id, group: one.recipe });
      if (recipe.progress !== undefined) add("notice", `${recipe.name} #${one.id} would need about 4 m 30 s, longer than a stop waits`, recipe.location, { view: "task", task: one.id, group: one.recipe });
    }
    this.recipes.forEach((recipe, index) => {
      if (recipe.fails === 1) add("critical", `${recipe.name}: 100 % panics`, recipe.location, { view: "finished", query: "outcome=panic", group: index });
      if (recipe.name === "index-rebuild") add("warning", `${recipe.name}: the oldest has run 5 times its group's p99`, recipe.location, { view: "tasks", group: index });
      if (recipe.name === "webhook") add("warning", `${recipe.name}: 12 % failed in the last minute`, recipe.location, { view: "finished", query: "outcome=error", group: index });
    });
    return found;
  }

  failures(query: URLSearchParams): FailureGroup[] {
    const groups = new Map<string, FailureGroup>();
    for (const { name, message, outcome, finished_at: at, id } of this.findFinished(query)) {
      if (outcome !== "error" && outcome !== "panic" && outcome !== "timeout") continue;
      const key = `${name} ${outcome} ${message}`;
      const known = groups.get(key);
      if (known === undefined) groups.set(key, { name, message, outcome, count: 1, first: at, last: at, last_task: id });
      else Object.assign(known, { count: known.count + 1, first: at });
    }
    return [...groups.values()].sort((one, other) => other.count - one.count);
  }

  find(query: URLSearchParams): Task[] {
    const wanted = ["kind", "state", "name"].filter((key) => query.has(key));
    const q = (query.get("q") ?? "").toLowerCase();
    const group = query.get("group");
    let found = this.live.filter((one) => group === null || one.recipe === Number(group)).map((one) => this.task(one));
    found = found.filter((task) => wanted.every((key) => task[key as "kind"] === query.get(key)));
    if (query.get("roots") === "true") found = found.filter(({ parent }) => parent === null || !this.live.some(({ id }) => id === parent));
    if (query.has("parent")) found = found.filter(({ parent }) => parent === Number(query.get("parent")));
    if (q !== "") found = found.filter(matcher(q));
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
      .filter((task) => group === null || task.name === this.recipes[Number(group)]?.name)
      .filter(q === "" ? () => true : matcher(q))
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
      ancestors: base.parent === null ? [] : [{ id: base.parent, name: parent === undefined ? null : this.recipes[parent.recipe]!.name, state: parent === undefined ? null : "idle", outcome: null }],
      children, children_total: children.length,
      status_history: [{ at: base.started_at, status: "connecting" }, { at: base.started_at, status: "batch 1/10" }, { at: base.started_at, status: base.status ?? "batch 2/10" }],
    };
  }

  summary(): Summary {
    const counts = none();
    for (const { finished } of this.totals) for (const outcome of Object.keys(counts) as Outcome[]) counts[outcome] += finished[outcome];
    const groups = this.recipes.map((_, index) => this.group(index)).filter((group) => group.spawned > 0);
    return {
      service: "shop-api", version: "0.1.0", instance: this.instance, pid: this.pid, started_at: new Date(this.started).toISOString(), uptime_seconds: (Date.now() - this.started) / 1_000,
      stage: this.stage, live: this.live.length, blocked: this.states().blocked,
      spawned: this.totals.reduce((sum, total) => sum + total.spawned, 0), finished: counts, untracked: 14,
      spawned_per_second: this.target / 6.4, finished_per_second: this.target / 6.5, busy_share: 0.18 + 0.1 * Math.random(), failed_share: 0.012,
      groups, groups_total: groups.length, lifetime: lifetimeOf(this.budget, this.announce), shutdown: this.shutdown(), actions: this.actions, trace_url: "https://jaeger.example/trace/{trace_id}",
      states: this.states(), forecast: this.forecast(), attention: this.attention().slice(0, 5),
    };
  }

  private states(): Record<State, number> {
    const states = { queued: 0, idle: 0, running: 0, blocked: 0, limited: 0 };
    for (const one of this.live) states[this.task(one).state] += 1;
    return states;
  }

  /** As an event says it: only the groups that have changed but for the age of their oldest. */
  private heard(): Partial<Summary> {
    const { lifetime: _, groups, ...rest } = this.summary();
    const changed = groups.filter((group) => {
      const now = JSON.stringify({ ...group, oldest_age_seconds: null });
      const same = this.sent.get(group.id) === now;
      this.sent.set(group.id, now);
      return !same;
    });
    return { ...rest, delta: true, groups: changed };
  }

  private group(index: number): Group {
    const recipe = this.recipes[index]!;
    const live = this.live.filter((one) => one.recipe === index);
    const oldest = live.reduce<Live | null>((old, one) => (old === null || one.started < old.started ? one : old), null);
    const { spawned, finished } = this.totals[index]!;
    const failure = this.history.find((task) => task.name === recipe.name && (task.outcome === "error" || task.outcome === "panic"));
    const stuck = recipe.name === "index-rebuild" && oldest !== null;
    const blocks = live.filter((one) => this.task(one).state === "blocked").length;
    return {
      id: index, name: recipe.name, kind: recipe.kind, labels: recipe.labels, location: recipe.location, live: live.length, blocked: blocks, spawned, finished, polls: spawned * 40, slow_polls: stuck ? 12 : 0,
      busy_seconds: spawned * 0.4, usual: recipe.always === undefined && recipe.fails < 1 ? usualOf(recipe) : null, oldest_age_seconds: oldest === null ? null : (Date.now() - oldest.started) / 1_000, oldest_task: oldest?.id ?? null,
      last_failure: failure === undefined ? null : { at: failure.finished_at, task: failure.id, outcome: failure.outcome, message: failure.message },
      spawned_per_second: live.length / recipe.seconds, finished_per_second: live.length / recipe.seconds, busy_share: stuck ? 0.38 : recipe.kind === "blocking" ? 0.71 : 0.02, failed_share: recipe.fails === 1 ? 1 : finished.ok === 0 ? null : recipe.fails / 2,
      warnings: blocks > 0 && !stuck ? [{ code: "blocked", text: "1 task has not yielded for more than 1s: it holds a worker thread, look for blocking calls", severity: "critical" }] : recipe.fails === 1 ? [{ code: "failing", text: "100% of what finished in the last minute failed (68 of 68)", severity: "critical" }] : stuck ? [{ code: "stuck", text: `The oldest has run ${((Date.now() - oldest.started) / 78_000).toFixed(0)} times longer than this group's p99 of 78 s.` }] : recipe.fails > 0.1 && recipe.fails < 0.5 ? [{ code: "failing", text: "6 % of what finished in the last minute failed; over its life it was 1 %." }] : [],
    };
  }

  private shutdown(): Shutdown | null {
    const stop = this.stop;
    if (stop === null) return null;
    const elapsed = this.report?.duration_seconds ?? (Date.now() - stop.at) / 1_000;
    const awaited = this.awaited();
    const hold = (one: Live) => (this.recipes[one.recipe]!.on === "last" ? -1 : this.recipes[one.recipe]!.state === "blocked" ? 9e9 : (this.task(one).eta_seconds ?? 1e9));
    const ordered = [...awaited].sort((one, other) => hold(other) - hold(one));
    const rest = new Map<string, number>();
    for (const task of ordered.slice(20)) rest.set(this.recipes[task.recipe]!.name, (rest.get(this.recipes[task.recipe]!.name) ?? 0) + 1);
    const longest = Math.max(0, ...this.live.map((task) => (Number.isFinite(task.ends) ? (task.ends - Date.now()) / 1_000 : 0)));
    return {
      reason: stop.reason, started_at: new Date(stop.at).toISOString(), elapsed_seconds: elapsed, stage: this.stage, deadline_at: new Date(stop.at + stop.budget * 1_000).toISOString(),
      remaining_seconds: Math.max(0, stop.budget - elapsed), budget_seconds: stop.budget, exit_at: null, forced_by: stop.forced, total: stop.total, ended: stop.ended.length, pending: awaited.length,
      told_in_seconds: this.stage === "announcing" ? Math.max(0, this.announce - elapsed) : null, forecast_at_start_seconds: stop.forecast, took_seconds: this.report?.duration_seconds ?? null,
      pending_requests: this.live.filter((task) => this.recipes[task.recipe]!.kind === "request").length, estimate_seconds: this.live.length === 0 ? 0 : longest,
      burn_down: stop.burn.filter((_, index) => index % Math.ceil(stop.burn.length / 120) === 0), tasks: ordered.slice(0, 20).map((task) => this.task(task)), rest: [...rest].map(([name, count]) => ({ name, count })),
      recently_ended: stop.ended.slice(0, 20).map(({ id, name, outcome, duration_seconds }) => ({ id, name, outcome, duration_seconds })), report: this.report,
    };
  }

  trends(): Trends {
    const live = this.trendLive.slice(-120);
    const scaled = (by: number) => live.map((value) => value * by * (0.9 + 0.2 * Math.random()));
    return {
      interval_seconds: 5, until: new Date().toISOString(), live, finished_per_second: scaled(0.16), failed_per_second: scaled(0.002), busy_share: live.map(() => 0.15 + 0.15 * Math.random()),
      groups: this.recipes.map((recipe, id) => ({ id, live: live.map((value) => Math.round((value * recipe.weight * (0.7 + 0.6 * Math.random())) / 60)) })),
    };
  }
}

function lifetimeOf(budget: number, announce: number): Lifetime {
  const exit = budget + 4;
  return {
    signals: ["SIGINT", "SIGTERM"], drain_timeout_seconds: budget, announce_delay_seconds: announce, abort_grace_seconds: 1, hook_timeout_seconds: 1, exit_after_seconds: exit, platform_grace_seconds: exit + 1, linger: "auto", late_spawns: "adopt", request_limit: null,
    sentences: ["SIGINT or SIGTERM begins a shutdown.", `Tasks are then waited for, up to ${budget} s, announcing included.`, "A second signal aborts what is left; a third ends the process at once.", `${exit} s after the start the process exits, whatever still holds it.`],
  };
}

function reasonOf(task: Task, result: Report["result"], by: string | null): string {
  if (task.state === "blocked") return "still running: inside a poll for 5m 50s";
  if (task.kind === "blocking") return "still running: a closure cannot be aborted";
  return result === "forced" ? `cut by ${by}` : "cut by the deadline";
}

export function groupOf({ location }: Task): number {
  return [...RECIPES, ...INCIDENT].findIndex((recipe) => recipe.location === location);
}

/** Words, and the filters that the page shows as examples. */
function matcher(q: string): (task: Task) => boolean {
  const tests = q.split(/\s+/).map((word) => {
    const [, key, value = ""] = /^([\w.]+):(.+)$/.exec(word) ?? [];
    if (key === "state" || key === "kind" || key === "name" || key === "outcome") return (task: Task) => String((task as unknown as Record<string, unknown>)[key]) === value;
    if (key?.startsWith("label.") === true) return (task: Task) => task.labels[key.slice(6)] === value;
    if (key === "age") return (task: Task) => task.age_seconds > Number.parseFloat(value.slice(1)) * (value.endsWith("m") ? 60 : 1);
    if (key !== undefined) throw new Refusal(`${key}: is no filter. There are state, kind, name, outcome, age, label.KEY.`);
    return (task: Task) => JSON.stringify(task).toLowerCase().includes(word.replaceAll('"', ""));
  });
  return (task) => tests.every((test) => test(task));
}

/** A query that is not understood. */
export class Refusal extends Error {}

/** The recipe of the task `id`. Multiples of the golden ratio spread evenly, so no recipe stays out by chance. */
function pick(recipes: Recipe[], id: number): number {
  const total = recipes.reduce((sum, recipe) => sum + recipe.weight, 0);
  let at = ((id * 0.6180339887498949) % 1) * total;
  return Math.max(0, recipes.findIndex((recipe) => (at -= recipe.weight) < 0));
}

function usualOf(recipe: Recipe): Usual {
  return { at_most: recipe.name === "thumbnail", count: 1_284, p50_seconds: recipe.seconds, p95_seconds: recipe.seconds * 1.5, p99_seconds: recipe.seconds * 1.7 };
}

function none(): Required<OutcomeCounts> {
  return { ok: 0, error: 0, panic: 0, cancelled: 0, timeout: 0, rejected: 0, abandoned: 0, aborted: 0 };
}
