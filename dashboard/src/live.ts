// Keeps the page in touch with the process: reads its events, notices silence, tries again quietly, and notices when
// another process has taken its place.

import { batch } from "@preact/signals";
import { ApiError, get, locked, request, tokenGiven } from "./api.ts";
import { onFrame } from "./frame.ts";
import { ended, link, otherGroups, report, second, summary, summaryAt, takeover, titleOf, trend, trendVersion } from "./store.ts";
import { readEvents, type StreamEvent } from "./stream.ts";
import type { Report, Summary, Trends } from "./wire.ts";

/** The server speaks each second; after that long without a word the connection is given up. */
const SILENCE = 5_000;
const RETRIES = [300, 700, 1_500, 2_000, 2_000, 3_000];
const POLL = 2_000;
const TOO_MANY_PAGES = 503;

export function start(): void {
  setInterval(() => {
    if (document.visibilityState !== "hidden") second.value = performance.now();
  }, 1_000);
  document.addEventListener("visibilitychange", shown);
  void loadSummary().catch(() => undefined);
  void keepWatching();
}

function shown(): void {
  if (document.visibilityState === "hidden") return;
  second.value = performance.now();
  if (summary.value !== null) void loadTrends();
}

async function keepWatching(): Promise<never> {
  for (;;) {
    try {
      await watch();
    } catch (error) {
      await failed(error);
    }
    const { failures } = link.value;
    await pause(RETRIES[Math.min(failures, RETRIES.length - 1)] ?? POLL);
  }
}

async function failed(error: unknown): Promise<void> {
  if (locked.value !== null) return tokenGiven();
  if (error instanceof ApiError && error.status === TOO_MANY_PAGES) return poll();
  const { seen, failures } = link.value;
  link.value = { state: seen === null ? "connecting" : "lost", seen, failures: failures + 1 };
}

/** Reads events until the connection ends. */
async function watch(): Promise<void> {
  const abort = new AbortController();
  let watchdog = setTimeout(() => abort.abort(), SILENCE);
  try {
    const response = await request("events", { signal: abort.signal, headers: { accept: "text/event-stream" } });
    if (response.body === null) return;
    await readEvents(response.body, (event) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), SILENCE);
      hear(event);
    });
    closed();
  } finally {
    clearTimeout(watchdog);
  }
}

/** The server closes after the report; anything else is a loss. */
function closed(): void {
  if (report.value !== null || waitingReport) return;
  link.value = { ...link.value, state: link.value.seen === null ? "connecting" : "lost" };
}

let waitingReport = false;

function hear({ event, data }: StreamEvent): void {
  if (event === "summary") receive(JSON.parse(data) as Summary, "live");
  if (event === "report") receiveReport(JSON.parse(data) as Report);
  if (event === "hello") touch("live");
}

function touch(state: "live" | "polling"): void {
  link.value = { state, seen: performance.now(), failures: 0 };
}

function receive(heard: Summary, state: "live" | "polling"): void {
  const at = performance.now();
  touch(state);
  document.title = titleOf(heard);
  // One key a process: while the tab is hidden, the last word of the old one must not be lost to the new one.
  onFrame(`summary ${heard.instance}`, () => draw(heard, at));
}

function receiveReport(heard: Report): void {
  waitingReport = true;
  onFrame(`report ${heard.instance}`, () => {
    waitingReport = false;
    if (summary.value?.instance === heard.instance) report.value = heard;
  });
}

function draw(heard: Summary, at: number): void {
  batch(() => {
    const before = summary.value;
    const another = before !== null && before.instance !== heard.instance;
    if (another) succeed(before);
    if (heard.shutdown !== null && (before?.shutdown == null || another)) takeover.value = true;
    if (heard.shutdown?.report != null) report.value = heard.shutdown.report;
    summary.value = heard;
    summaryAt.value = at;
    second.value = Math.max(second.value, at);
    trend.add(heard);
    trendVersion.value += 1;
    if (before === null || another) void loadTrends();
  });
}

/** Another process answers: the old one's end is kept for the notice, everything else is forgotten. */
function succeed(before: Summary): void {
  ended.value = { summary: before, report: report.value };
  report.value = null;
  takeover.value = false;
  otherGroups.value = [];
  trend.clear();
}

async function poll(): Promise<void> {
  for (let round = 0; round < 15; round += 1) {
    try {
      await loadSummary("polling");
    } catch (error) {
      return failed(error);
    }
    await pause(POLL);
  }
}

async function loadSummary(state: "live" | "polling" = "live"): Promise<void> {
  const { value } = await get<Summary>("summary");
  receive(value, state);
}

async function loadTrends(): Promise<void> {
  const answer = await get<Trends>("trends").catch(() => null);
  if (answer === null) return;
  onFrame("trends", () => {
    if (answer.instance !== null && answer.instance !== summary.value?.instance) return;
    trend.fill(answer.value);
    trendVersion.value += 1;
  });
}

/** Reads the groups that the events had no room for. */
export async function loadOtherGroups(): Promise<void> {
  const answer = await get<Summary>("summary").catch(() => null);
  if (answer === null) return;
  onFrame("groups", () => {
    if (answer.value.instance === summary.value?.instance) otherGroups.value = answer.value.groups;
  });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
