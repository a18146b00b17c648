// The wire types: what the admin server sends to the page, mirroring its `wire.rs`. Tests check the server's
// fixtures against them.
// A key without `?` is always present, null where empty. A key with `?` is absent from older servers.
// Times are RFC 3339, durations seconds, ids below 2^53.

export type Kind = "task" | "local" | "blocking" | "future" | "request" | "service" | "timer";
/** `limited`: it waits for its limit or its key. */
export type State = "queued" | "idle" | "running" | "blocked" | "limited";
/** `aborted` is what older servers call `abandoned`. */
export type Outcome = "ok" | "error" | "panic" | "cancelled" | "timeout" | "rejected" | "abandoned" | "aborted";
export type OnShutdown = "wait" | "cancel" | "last" | "detach" | "connection";
export type Stage = "running" | "announcing" | "draining" | "aborting" | "lingering" | "done";

export type Labels = Record<string, string>;
export type OutcomeCounts = Partial<Record<Outcome, number>>;

export interface Progress {
  done: number;
  total: number;
}

/** How long tasks of a group usually take; null where too few have finished to say. */
export interface Usual {
  count: number;
  p50_seconds: number;
  p95_seconds: number;
  p99_seconds: number;
  /** The quantiles are upper bounds: too few recent tasks to say more. */
  at_most?: boolean;
}

export type Bound = "about" | "at_most";

export interface Task {
  id: number;
  name: string;
  kind: Kind;
  labels: Labels;
  fields: Record<string, string>;
  /** The trace that its spawn belongs to, where it carries one. */
  trace_id?: string | null;
  state: State;
  /** How long it has been in that state. */
  state_seconds: number;
  cancellable: boolean;
  age_seconds: number;
  started_at: string;
  busy_seconds: number;
  polls: number;
  status: string | null;
  progress: Progress | null;
  location: string;
  parent: number | null;
  on_shutdown: OnShutdown;
  /** The grace of its own, where it has one. */
  grace_seconds: number | null;
  /** How long it may run, and how long it has run since it was admitted; null without a timeout. */
  timeout_seconds?: number | null;
  timeout_elapsed_seconds?: number | null;
  /** Its timeout has passed and it is still there: it cannot be aborted. */
  overdue?: boolean;
  usual: Usual | null;
  /** What a stop waits for here: `Last: notified when 3 others have ended`, `grace 1 s`, `does not yield`. */
  waits_for?: string | null;
  /** Until it ends, if it goes on like this. */
  eta_seconds?: number | null;
  eta_bound?: Bound | null;
  /** How many of its children are alive. */
  children_total?: number;
}

export interface FinishedTask extends Task {
  outcome: Outcome;
  duration_seconds: number;
  finished_at: string;
  message: string | null;
}

/** `GET /api/v1/tasks`. */
export interface Page<T> {
  total: number;
  items: T[];
  /** The cursor of the next page; null on the last. */
  next: string | null;
}

/** `GET /api/v1/finished`. */
export interface FinishedPage extends Page<FinishedTask> {
  /** With `fold_ok=true`, where they are too many for the page: tasks that were ok, which `items` lacks. */
  folded?: OkGroup[];
}

/** Tasks of one group that were ok, as far as the history holds them. */
export interface OkGroup {
  group: number;
  name: string;
  kind: Kind;
  labels: Labels;
  count: number;
  median_seconds: number;
  longest_seconds: number;
  first: string;
  last: string;
  last_task: number;
}

/**
 * A task named from another's page: still alive, or finished and perhaps out of the history (then the name is
 * null).
 */
export interface TaskRef {
  id: number;
  name: string | null;
  state: State | null;
  outcome: Outcome | null;
}

/** `GET /api/v1/tasks/{id}`: a live task, or one that the history still holds (then `outcome` is set). */
export interface TaskDetail extends Task {
  outcome: Outcome | null;
  duration_seconds: number | null;
  finished_at: string | null;
  message: string | null;
  /** Nearest first: parent, its parent, … */
  ancestors: TaskRef[];
  /** Live children, oldest first, at most 100. */
  children: Task[];
  children_total: number;
  /** Newest last, at most 16. */
  status_history: { at: string; status: string }[];
}

/** One plain sentence under the row it speaks of; it names the figure and the yardstick. */
export interface Warning {
  code: "stuck" | "blocked" | "slow_polls" | "failing" | "growing" | "overflow";
  text: string;
  severity?: Severity;
}

export type Severity = "critical" | "warning" | "notice";

export interface AttentionLink {
  view: "task" | "tasks" | "finished" | "group" | "services" | "lifetime";
  task: number | null;
  query: string | null;
  group: number | null;
}

/** One sentence that needs a look, with the place to look at. */
export interface Attention {
  severity: Severity;
  sentence: string;
  since: string | null;
  location: string | null;
  link: AttentionLink;
}

/** `GET /api/v1/attention`: all of them; the summary has the first five. */
export interface AttentionList {
  items: Attention[];
}

export type ServiceState = "running" | "waiting" | "backing_off" | "failed" | "ended" | "stopped" | "lost";

/** How the last run of a service or timer ended. */
export interface LastRun {
  task: number | null;
  outcome: Outcome;
  message: string | null;
  duration_seconds: number;
  ended_at: string;
}

/** A service, which goes on, or a timer, which runs again and again. */
export interface Service {
  id: number;
  name: string;
  kind: Kind;
  location: string;
  state: ServiceState;
  /** For how long it has been in that state. */
  state_seconds: number;
  /** Its end for good stops the process. */
  critical: boolean;
  on_shutdown: OnShutdown;
  /** Null for timers. */
  restart: "on_failure" | "always" | null;
  /** Null for services. */
  period_seconds: number | null;
  timeout_seconds: number | null;
  /** The run that is alive, and for how long it has been. */
  task: number | null;
  running_seconds: number | null;
  last: LastRun | null;
  last_success_at: string | null;
  /** Until the next run begins. */
  next_in_seconds: number | null;
  runs: number;
  /** Runs that ended other than ok. */
  failures: number;
  failures_in_a_row: number;
  restarts: number;
  /** Ticks of a timer that were missed. */
  skipped: number;
  /** Runs of a timer that took longer than its period. */
  overruns: number;
}

/** `GET /api/v1/services`: all that go on, and the newest 100 that are over; oldest first. */
export interface ServiceList {
  items: Service[];
}

/** A task, or several of one name, that a stop would not see end in time. */
export interface Hold {
  task: number | null;
  name: string;
  count: number;
  eta_seconds: number | null;
  reason: string;
}

/** How a stop would go, or goes. `GET /api/v1/forecast?within=25s` asks for another deadline. */
export interface Forecast {
  /** The time that is left, or would be; null without a deadline. */
  within_seconds: number | null;
  done: number;
  done_in_seconds: number | null;
  band_seconds: [number, number] | null;
  will_be_cut: Hold[];
  cannot_abort: Hold[];
  unknown: number;
  unknown_names: { name: string; count: number }[];
  expected_abandoned: number;
  sentence: string;
}

/** `GET /api/v1/failures`: failed tasks with the same name, message and outcome. */
export interface FailureGroup {
  name: string;
  message: string | null;
  outcome: Outcome;
  count: number;
  first: string;
  last: string;
  last_task: number;
}

/** `GET /api/v1/stops`: the reports kept in `report_dir`, newest first. */
export interface Stops {
  items: Report[];
}

export interface Failure {
  at: string;
  task: number;
  outcome: Outcome;
  message: string | null;
}

/** The timeout and limit of a group, and what became of tasks that waited. */
export interface Terms {
  timeout_seconds: number | null;
  timeout_by_operator: boolean;
  /** How many of the tasks of its limit may run at once, and how many may wait. */
  limit: number | null;
  queue: number | null;
  /** How many of its tasks wait now. */
  limited: number;
  rejected: { full: number; duplicate: number };
  /** How long its tasks may live, as a sentence. */
  lifetime: string;
}

export interface Group {
  /** Stable while the process lives: what a row is keyed by and linked with. */
  id: number;
  name: string;
  kind: Kind;
  labels: Labels;
  location: string;
  live: number;
  blocked: number;
  spawned: number;
  finished: OutcomeCounts;
  polls: number;
  slow_polls: number;
  busy_seconds: number;
  usual: Usual | null;
  oldest_age_seconds: number | null;
  oldest_task: number | null;
  last_failure: Failure | null;
  /** Null where its tasks never had a timeout, a limit or a key. */
  terms?: Terms | null;
  /** Over the last 10 seconds; null in the first second. */
  spawned_per_second: number | null;
  finished_per_second: number | null;
  /**
   * The share of all workers' time that polls took over the last 10 seconds; 0.02 = 2 %. Null for closures,
   * which have threads of their own.
   */
  busy_share: number | null;
  /** Share of what finished in the last minute that ended in error or panic; null if nothing finished. */
  failed_share: number | null;
  warnings: Warning[];
}

/** What can end this process, and when. */
export interface Lifetime {
  signals: string[];
  drain_timeout_seconds: number | null;
  announce_delay_seconds: number;
  abort_grace_seconds: number;
  hook_timeout_seconds: number;
  exit_after_seconds: number | null;
  platform_grace_seconds: number | null;
  linger: "off" | "auto";
  late_spawns: "adopt" | "refuse";
  request_limit: { limit: number; admitted: number } | null;
  /** The same as sentences, ready to be shown in this order. */
  sentences: string[];
  /** Groups whose tasks have a timeout, or may wait. */
  groups?: { id: number; name: string; sentence: string }[];
}

export interface Shutdown {
  /** "SIGTERM", "SIGINT", "API", or the text given to `shutdown(reason)`. */
  reason: string;
  started_at: string;
  elapsed_seconds: number;
  stage: Stage;
  deadline_at: string | null;
  /** Until the deadline; 0 once it has passed. */
  remaining_seconds: number | null;
  /** The whole time from the start of the shutdown to the deadline, extensions included. */
  budget_seconds: number | null;
  exit_at: string | null;
  forced_by: string | null;
  /** Tasks waited for since the start, and how many of them have ended. */
  total: number;
  ended: number;
  pending: number;
  /** How many of the pending are requests under the tower layer. */
  pending_requests: number;
  /** Until all have likely ended; null where the histories allow no estimate. */
  estimate_seconds: number | null;
  /** [seconds since the start, pending], at most 120 points. */
  burn_down: [number, number][];
  /** While announcing: until the tasks are notified. */
  told_in_seconds?: number | null;
  /** What was forecast when the stop began, and what it took. */
  forecast_at_start_seconds?: number | null;
  took_seconds?: number | null;
  /** At most 20 that are waited for, or will be; the one that holds up the stop longest first. */
  tasks: Task[];
  /** The rest, one entry a group. */
  rest: { name: string; count: number }[];
  /** Newest first, at most 20. */
  recently_ended: { id: number; name: string; outcome: Outcome; duration_seconds: number }[];
  report: Report | null;
}

export interface ReportTask {
  id: number;
  name: string;
  kind: Kind;
  labels: Labels;
  fields: Record<string, string>;
  /** The trace that its spawn belongs to, where it carries one. */
  trace_id?: string | null;
  age_seconds: number;
  status: string | null;
  progress: Progress | null;
  location: string;
  /** False: inside a poll, a running closure or a `track` future, which nothing can abort. */
  aborted: boolean;
  /** Why it was cut, in the words of the log. */
  reason: string;
  /** Where it waited, or what held it, by its last capture; null without the setting `stacks`. */
  waits?: string | null;
}

/** What came of asking a task where it waits. */
export type StackResult = "waits" | "went_on" | "panicked" | "ended" | "blocked" | "not_begun" | "not_captured";

export interface StackFrame {
  function: string;
  /** `file:line` of the await in it; null if not known, or hidden. */
  location: string | null;
  /** The package that it is of; null for the application's own code. */
  library: string | null;
}

export interface StackBranch {
  /** The outermost first. */
  frames: StackFrame[];
  /** It waits for draining to begin, so that it is no cause. */
  draining: boolean;
  /** Those of a `select!`, `join!` or timeout. */
  branches: StackBranch[];
}

/** The thread that a task blocks. */
export interface HeldThread {
  /** Its state as `ps` has it: `R` runs, `S` sleeps, `D` sleeps and cannot be interrupted, `T` is stopped. */
  state_code: string | null;
  /** The system call that it is in; null for a thread that computes. */
  call: string | null;
  /** The file, path or peer of the call; null if not known, or hidden. */
  object: string | null;
  /** Of a thread that computes, the share of a moment that it was on a processor. */
  processor_percent: number | null;
}

/** `POST` and `GET /api/v1/tasks/{id}/stack`. */
export interface Stack {
  id: number;
  name: string;
  kind: Kind;
  captured_at: string;
  result: StackResult;
  /** The same in one line. */
  text: string;
  branches: StackBranch[];
  /** Live children, where it waits for the members of a `JoinSet` or the like; else null. */
  children: number | null;
  /** What its thread does, where the result is `blocked` and the system says so. */
  thread: HeldThread | null;
  lost: number;
  cut: boolean;
}

/** `POST` and `GET /api/v1/stacks`. */
export interface StackList {
  captured_at: string;
  took_seconds: number;
  tasks: number;
  asked: number;
  refused: number;
  /** Places that there was no room for. */
  lost: number;
  /** Tasks of which outer frames are missing. */
  cut: number;
  stacks: FoldedStack[];
}

/** Tasks that wait at one place. */
export interface FoldedStack {
  count: number;
  result: StackResult;
  text: string;
  names: string[];
  ids: number[];
  branches: StackBranch[];
  children: number | null;
  lost: number;
  cut: number;
}

export interface Report {
  service: string;
  instance: string;
  pid: number;
  reason: string;
  result: "drained" | "deadline" | "forced";
  forced_by: string | null;
  exit_code: number;
  /** The critical service that has ended for good. */
  critical_service?: string | null;
  started_at: string;
  duration_seconds: number;
  /** What was waited for, by how it ended. Abandoned tasks are not among them. */
  ended: OutcomeCounts;
  /** Tasks that served a connection and are gone; they are not among `ended`. */
  connections_closed?: number;
  late_spawns: number;
  forecast_at_start_seconds: number | null;
  /** Of these, spawns that were refused: the task was dropped at once. */
  refused_spawns?: number;
  /** Counted in full, listed up to 1,000. */
  abandoned_total: number;
  abandoned: ReportTask[];
  detached_total: number;
  detached: ReportTask[];
  /** About how many tasks were alive at the end that headcount does not track. */
  untracked?: number;
}

/** One of the process' runtimes. */
export interface Runtime {
  /** 1 for the first that was met. */
  number: number;
  /** The thread that met it. */
  name: string;
  workers: number;
  /** Tasks, tracked or not. */
  alive: number;
  /** Tasks, tracked or not, that have held a worker in one poll for longer than `blocked_after`. */
  blocked: number;
  queue_depth: number;
  /** How long it has begun no new task, if that is longer than `unresponsive_after`. */
  silent_seconds: number | null;
}

export interface Summary {
  service: string;
  version: string;
  instance: string;
  pid: number;
  started_at: string;
  uptime_seconds: number;
  stage: Stage;
  live: number;
  blocked: number;
  spawned: number;
  finished: OutcomeCounts;
  untracked: number | null;
  /** At most 16, those that answer latest first; absent in older versions. */
  runtimes?: Runtime[];
  runtimes_total?: number;
  /** Over the last 10 seconds; null in the first second. */
  spawned_per_second: number | null;
  finished_per_second: number | null;
  /** As of a group: 1 when every worker does nothing but poll. */
  busy_share: number | null;
  /** Over the last minute. */
  failed_share: number | null;
  /**
   * The most interesting first. An event carries at most 64 kB, so some may be left to `GET /api/v1/summary`.
   */
  groups: Group[];
  groups_total: number;
  lifetime: Lifetime;
  shutdown: Shutdown | null;
  /** How many live tasks are in each state. */
  states?: Partial<Record<State, number>>;
  /** How a stop would go now; during a stop, how it goes. */
  forecast?: Forecast | null;
  /** The five most severe. */
  attention?: Attention[];
  /**
   * Only what has changed since the previous event: other keys may be absent, and groups hold changed keys
   * only.
   */
  delta?: boolean;
  /** Where a task's trace is seen: `{trace_id}` stands for the id. */
  trace_url?: string | null;
  /** Whether `cancel` and `shutdown` are permitted (`allow_actions`). */
  actions: boolean;
  /** How many services and timers are listed. */
  services?: number;
  /** What is permitted, of `cancel`, `shutdown`, `run`, `close` and `stacks`. */
  permissions?: string[];
}

/** `GET /api/v1/trends`: the server's own bounded memory of its figures, oldest first; ten minutes. */
export interface Trends {
  interval_seconds: number;
  /** The time of the newest point. */
  until: string;
  live: number[];
  finished_per_second: number[];
  failed_per_second: number[];
  busy_share: number[];
  groups: { id: number; live: number[]; finished_per_second?: number[] }[];
}

/** The first event of `GET /api/v1/events`; then `summary` (Summary), at the end `report` (Report). */
export interface Hello {
  service: string;
  version: string;
  instance: string;
  pid: number;
  started_at: string;
}

/** `application/problem+json` (RFC 9457). */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
}
