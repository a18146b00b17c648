// Keeps the page connected to the process: reads its events, notices silence, retries quietly, and notices
// when another process has taken its place.

import { batch } from "@preact/signals";
import { ApiError, get, inTime, isAbort, locked, request, tokenGiven } from "./api.ts";
import { Book } from "./book.ts";
import { dropFrames, onFrame } from "./frame.ts";
import { keep, keepLast, keptOf, meet, seeNow } from "./memory.ts";
import { go, HOME, place, type Place, replace, settle } from "./place.ts";
import {
  ended, failedInStop, firstForecast, groups, heartbeat, link, lost, paused, report, second, summary, summaryAt, titleOf, trend, trendVersion,
} from "./store.ts";
import { readEvents, type StreamEvent } from "./stream.ts";
import type { Report, Shutdown, Summary, Trends } from "./wire.ts";

/** The server speaks each second; after that long without a word the connection is closed. */
const SILENCE = 5_000;
const RETRIES = [300, 700, 1_500, 2_000, 2_000, 3_000];
const POLL = 2_000;
const TOO_MANY_PAGES = 503;
/** How often what is seen is written down. */
const REMEMBER = 5_000;
/** How often groups are read that full events have no room for. */
const OTHER_GROUPS = 15_000;
/** Of so many processes what waits to be drawn is held: a tab may be hidden through thousands that crash. */
const DRAWN = 2;

let book: Book | null = null;
/** Where the reader was when a stop took the page. */
let left: Place | null = null;
let task: string | null = null;

export function start(): void {
  setInterval(beat, 1_000);
  setInterval(remember, REMEMBER);
  setInterval(() => void loadOtherGroups(), OTHER_GROUPS);
  addEventListener("pagehide", remember);
  document.addEventListener("visibilitychange", shown);
  void loadSummary().catch(() => undefined);
  void keepWatching();
}

function beat(): void {
  retitle();
  if (document.visibilityState === "hidden") return;
  const now = performance.now();
  heartbeat.value = now;
  if (!lost.value && !paused.value) second.value = now;
}

function shown(): void {
  if (document.visibilityState === "hidden") return;
  beat();
  if (summary.value !== null) void loadTrends();
}

function remember(): void {
  if (book?.summary != null && report.value === null && link.value.state !== "lost") seeNow(book.summary);
}

/** The view of one task names it in the title. */
export function nameTask(name: string | null): void {
  task = name;
  retitle();
}

function retitle(): void {
  if (book?.summary == null) return;
  document.title = titleOf(book.summary, { link: link.value, report: report.value, task, now: performance.now() });
}

async function keepWatching(): Promise<never> {
  for (;;) {
    const began = performance.now();
    let brief = false;
    try {
      await watch();
      // A server that lingers, or a proxy, closes each stream as soon as it has begun.
      brief = performance.now() - began < POLL;
    } catch (error) {
      await failed(error);
    }
    const { failures } = link.value;
    await pause(brief ? POLL : (RETRIES[Math.min(failures, RETRIES.length - 1)] ?? POLL));
  }
}

async function failed(error: unknown): Promise<void> {
  if (locked.value !== null) return tokenGiven();
  if (error instanceof ApiError && error.status === TOO_MANY_PAGES) return poll();
  // What is aborted is only what the watchdog found silent.
  lose(link.value.failures + 1, isAbort(error));
}

/** Ages stand still at what was last heard. */
function lose(failures: number, silent = false): void {
  const { seen } = link.value;
  batch(() => {
    link.value = { state: seen === null ? "connecting" : "lost", seen, failures, silent };
    if (seen !== null) second.value = Math.min(second.value, seen);
    heartbeat.value = performance.now();
  });
  retitle();
}

/** Reads events until the connection ends. */
async function watch(): Promise<void> {
  const abort = new AbortController();
  let watchdog = setTimeout(() => abort.abort(), SILENCE);
  let heard = false;
  try {
    const response = await request("events?delta=true", { signal: abort.signal, headers: { accept: "text/event-stream" } });
    if (response.body === null) return;
    await readEvents(response.body, (event) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), SILENCE);
      heard = true;
      hear(event);
    });
    closed(heard);
  } finally {
    clearTimeout(watchdog);
  }
}

/** The server closes after the report, and begins with an event; anything else is a loss. */
function closed(heard: boolean): void {
  if (!heard) lose(link.value.failures + 1);
  else if (report.value === null && !waitingReport) lose(link.value.failures);
}

let waitingReport = false;

function hear({ event, data }: StreamEvent): void {
  if (event === "summary") receive(JSON.parse(data) as Partial<Summary>, "live");
  if (event === "report") receiveReport(JSON.parse(data) as Report);
  if (event === "hello") touch("live");
}

function touch(state: "live" | "polling"): void {
  link.value = { state, seen: performance.now(), failures: 0, silent: false };
}

function receive(heard: Partial<Summary>, state: "live" | "polling"): void {
  const at = performance.now();
  if (heard.instance !== undefined && heard.instance !== book?.instance) begin(heard as Summary);
  touch(state);
  const current = book;
  if (current === null || !current.hear(heard, at)) return void loadSummary().catch(() => undefined);
  retitle();
  const final = current.summary?.shutdown?.report ?? null;
  if (final !== null) reported(current, final);
  // One key a process: while the tab is hidden, the last word of the old one must not be lost to the new one.
  onFrame(`summary ${current.instance}`, () => draw(current, at));
  if (0 < current.missing) void loadOtherGroups();
}

const begun: string[] = [];

/** Another process answers. How the one before it ended is kept at once: a hidden tab may never draw it. */
function begin(heard: Summary): void {
  const before = book?.summary ?? null;
  if (before !== null) keepLast(keptOf(before, book?.report ?? null), heard);
  book = new Book(heard.instance);
  begun.push(heard.instance);
  for (const old of begun.splice(0, begun.length - DRAWN)) {
    dropFrames(`summary ${old}`);
    dropFrames(`report ${old}`);
  }
}

function reported(of: Book, final: Report): void {
  if (of.report !== null || of.summary === null) return;
  of.report = final;
  keep(keptOf(of.summary, final));
}

function receiveReport(heard: Report): void {
  waitingReport = true;
  if (book?.instance === heard.instance) reported(book, heard);
  onFrame(`report ${heard.instance}`, () => {
    waitingReport = false;
    if (summary.value?.instance === heard.instance) end(heard);
  });
}

function end(final: Report): void {
  report.value = final;
  retitle();
}

function draw(from: Book, at: number): void {
  const heard = from.summary;
  const before = summary.value;
  if (heard === null) return;
  const another = before !== null && before.instance !== heard.instance;
  if (paused.value && !another && heard.shutdown === null) return;
  batch(() => {
    if (another) succeed(before);
    if (before === null || another) {
      meet(heard);
      settle(heard.instance);
    }
    summary.value = heard;
    summaryAt.value = at;
    heartbeat.value = Math.max(heartbeat.value, at);
    second.value = Math.max(second.value, at);
    groups.value = from.list();
    trend.add(heard, from.list());
    trendVersion.value += 1;
    failedInStop.value = from.failed;
    if (heard.shutdown !== null) stopSeen(heard, heard.shutdown, before?.shutdown == null || another);
    if (before === null || another) void loadTrends();
  });
}

/** A stop takes the page, whatever view is open, and Back returns to that view. */
function stopSeen(heard: Summary, stop: Shutdown, begins: boolean): void {
  if (begins) {
    paused.value = false;
    firstForecast.value = heard.forecast?.done_in_seconds ?? stop.estimate_seconds;
    const { view } = place.value;
    left = view === "shutdown" || view === "end" ? null : place.value;
    if (view === "groups" && history.length <= 1) replace({ view: "shutdown" });
    else if (view !== "shutdown" && view !== "end") go({ view: "shutdown" });
  }
  if (stop.report !== null) end(stop.report);
}

/** Another process is drawn: the old one's end stays as a notice, everything else is forgotten. */
function succeed(before: Summary): void {
  ended.value = { summary: before, report: report.value };
  const watched = place.value.view === "shutdown";
  const { view, q, sort, order, as } = left ?? HOME;
  report.value = null;
  firstForecast.value = null;
  paused.value = false;
  trend.clear();
  left = null;
  // Back to what the stop had taken the page from; the end has an address of its own.
  if (watched) replace(view === "task" ? { view: "tasks" } : { view, q, sort, order, as });
}

/** Goes on after a pause with the newest. */
export function resume(): void {
  paused.value = false;
  if (book !== null) draw(book, link.value.seen ?? performance.now());
}

async function poll(): Promise<void> {
  for (let round = 0; round < 15; round += 1) {
    try {
      await loadSummary("polling");
    } catch (error) {
      // Also a 503: without a summary it does not say that too many pages watch.
      if (locked.value !== null) return tokenGiven();
      return lose(link.value.failures + 1, isAbort(error));
    }
    await pause(POLL);
  }
}

async function loadSummary(state: "live" | "polling" = "live"): Promise<void> {
  const wholes = book?.wholes ?? 0;
  const { value, at } = await get<Summary>("summary", inTime());
  // Events that came first go on from each other: what they said is not said again.
  if (state === "live" && book?.summary != null && book.instance === value.instance) book.fill(value, at, wholes);
  else receive(value, state);
}

async function loadTrends(): Promise<void> {
  const answer = await get<Trends>("trends", inTime()).catch(() => null);
  if (answer === null) return;
  onFrame("trends", () => {
    if (answer.instance !== null && answer.instance !== summary.value?.instance) return;
    trend.fill(answer.value);
    trendVersion.value += 1;
  });
}

let loading = false;

/** Reads the groups that events have no room for: unknown ones at once, the others now and then. */
async function loadOtherGroups(): Promise<void> {
  const current = book;
  const heard = current?.summary ?? null;
  if (current === null || heard === null || loading || document.visibilityState === "hidden" || lost.value) return;
  if (!current.lacks) return;
  loading = true;
  const { wholes } = current;
  const answer = await get<Summary>("summary", inTime()).catch(() => null);
  if (answer !== null && answer.value.instance === current.instance) {
    current.fill(answer.value, answer.at, wholes);
    onFrame("groups", () => {
      if (summary.value?.instance === current.instance && !paused.value) groups.value = current.list();
    });
  }
  // A server that cannot list them all is not asked each second.
  setTimeout(() => (loading = false), POLL);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
