// What a browser has, as far as modules without components ask for it, and a server that a test plays.

import { vi } from "vitest";
import type { Group, Shutdown, Summary } from "../src/wire.ts";

class Memory extends Map<string, string> {
  getItem = (key: string) => this.get(key) ?? null;
  setItem = (key: string, value: string) => void this.set(key, value);
  removeItem = (key: string) => void this.delete(key);
}

const MOST = 1_000;

type Answer = (path: string) => Response | Promise<Response>;

const streams = new WeakMap<Response, Events>();

/** A stream of events that the test writes. */
export class Events {
  private out!: ReadableStreamDefaultController<Uint8Array>;
  private readonly body = new ReadableStream<Uint8Array>({ start: (out) => void (this.out = out) });

  readonly response = new Response(this.body, { headers: { "content-type": "text/event-stream" } });

  constructor() {
    streams.set(this.response, this);
  }

  send(event: string, data: unknown): void {
    this.out.enqueue(new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
  }

  close(): void {
    this.out.close();
  }

  abort(reason: unknown): void {
    this.out.error(reason);
  }
}

/** One tab, on a clock that stands still until `pass`. */
export class Web {
  /** What was asked, each path below `api/v1/`. */
  readonly asked: string[] = [];
  answer: Answer = () => refusal(404);
  /** The headers of the newest request. */
  sent: Headers | null = null;
  hidden = false;
  private readonly listeners = new Map<string, (() => void)[]>();

  constructor(readonly search = "") {
    vi.resetModules();
    vi.useFakeTimers();
    const listen = (name: string, act: () => void) => void this.listeners.set(name, [...(this.listeners.get(name) ?? []), act]);
    const web = this;
    const element = { dataset: {} };
    const document = { baseURI: "http://127.0.0.1:7717/", title: "", activeElement: null, body: null, documentElement: element, addEventListener: listen };
    Object.defineProperty(document, "visibilityState", { get: () => (web.hidden ? "hidden" : "visible") });
    vi.stubGlobal("document", document);
    vi.stubGlobal("location", { search, pathname: "/" });
    vi.stubGlobal("history", { length: 1, state: null, replaceState: () => undefined, pushState: () => undefined });
    vi.stubGlobal("localStorage", new Memory());
    vi.stubGlobal("sessionStorage", new Memory());
    vi.stubGlobal("addEventListener", listen);
    vi.stubGlobal("removeEventListener", () => undefined);
    vi.stubGlobal("scrollTo", () => undefined);
    vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => undefined }));
    vi.stubGlobal("requestAnimationFrame", (draw: () => void) => setTimeout(() => web.hidden || draw(), 16));
    vi.stubGlobal("fetch", (address: URL, init: RequestInit) => this.fetch(address, init));
    // Node's own runs by the real clock.
    vi.spyOn(AbortSignal, "timeout").mockImplementation((milliseconds) => {
      const abort = new AbortController();
      setTimeout(() => abort.abort(new DOMException("", "TimeoutError")), milliseconds);
      return abort.signal;
    });
  }

  async pass(seconds: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(seconds * 1_000);
  }

  show(hidden: boolean): void {
    this.hidden = hidden;
    for (const act of this.listeners.get("visibilitychange") ?? []) act();
  }

  count(path: string): number {
    return this.asked.filter((one) => one.startsWith(path)).length;
  }

  close(): void {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    vi.useRealTimers();
  }

  private fetch(address: URL, { signal, headers }: RequestInit): Promise<Response> {
    this.sent = new Headers(headers);
    const path = `${address.pathname}${address.search}`.replace("/api/v1/", "");
    if (path === "trends") return Promise.resolve(refusal(404));
    this.asked.push(path);
    // A storm would never let the clock pass.
    if (MOST < this.asked.length) return new Promise(() => undefined);
    return new Promise((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
      Promise.resolve(this.answer(path)).then((response) => {
        signal?.addEventListener("abort", () => streams.get(response)?.abort(signal.reason));
        resolve(response);
      }, reject);
    });
  }
}

export function answer(value: unknown, instance = "aaaaaaaa"): Response {
  return new Response(JSON.stringify(value), { headers: { "content-type": "application/json", "headcount-instance": instance } });
}

export function refusal(status: number): Response {
  return new Response("", { status });
}

/** The answer of a server that does not answer. */
export function silence(): Promise<Response> {
  return new Promise(() => undefined);
}

export function process(rest: Partial<Summary> = {}): Summary {
  return {
    instance: "aaaaaaaa", pid: 7, service: "shop-api", started_at: "2026-01-01T00:00:00Z", uptime_seconds: 60, stage: "running", live: 3, groups: [], groups_total: 0,
    finished: {}, finished_per_second: 1, busy_share: null, shutdown: null, attention: [], actions: false, ...rest,
  } as unknown as Summary;
}

export function stop(rest: Partial<Shutdown> = {}): Shutdown {
  return {
    reason: "SIGTERM", started_at: "2026-01-01T00:01:00Z", elapsed_seconds: 1, stage: "draining", total: 3, ended: 0, pending: 3, pending_requests: 0, burn_down: [],
    tasks: [], rest: [], recently_ended: [], report: null, estimate_seconds: null, ...rest,
  } as unknown as Shutdown;
}

export function group(id: number, rest: Partial<Group> = {}): Group {
  return { id, name: `group-${id}`, kind: "task", labels: {}, location: "src/main.rs:1", live: 1, warnings: [], oldest_age_seconds: null, oldest_task: null, ...rest } as Group;
}
