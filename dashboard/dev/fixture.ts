// Speaks the wire contract with an invented process. `/dev/…` changes it: `start?tasks=N&actions=no&incident=yes&groups=N`,
// with `&announce=SECONDS&budget=SECONDS` for its stop; `signal?name=SIGTERM`, `announced`, `kill`, `token?is=…`.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { FinishedPage, FinishedTask, OkGroup, Page, Task } from "../src/wire.ts";
import { BUDGET, groupOf, Refusal, World } from "./world.ts";

type Next = () => void;

export class Fixture {
  private world = new World({ tasks: 56, actions: true });
  private token: string | null = null;
  private dead = false;

  handle = (request: IncomingMessage, response: ServerResponse, next: Next): void => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const api = url.pathname.indexOf("/api/v1/");
    if (url.pathname.startsWith("/dev/")) return this.command(url, response);
    if (api === -1) return next();
    if (this.dead || this.world.exited()) return void request.socket.destroy();
    response.setHeader("headcount-instance", this.world.instance);
    if (this.token !== null && request.headers.authorization !== `Bearer ${this.token}`) return refuse(response, 401, "A token is needed.");
    this.answer(request, url, url.pathname.slice(api + "/api/v1/".length), response);
  };

  end(): void {
    this.world.end();
  }

  private command(url: URL, response: ServerResponse): void {
    const query = url.searchParams;
    const what = url.pathname.slice("/dev/".length);
    if (what === "start") {
      this.world.end();
      const number = (name: string, otherwise: number) => Number(query.get(name) ?? otherwise);
      const reports = [this.world.lastReport(), ...this.world.reports].filter((report) => report !== null);
      this.world = new World({ tasks: number("tasks", 56), actions: query.get("actions") !== "no", incident: query.has("incident"), groups: number("groups", 0), announce: number("announce", 0), budget: number("budget", BUDGET), reports });
      this.dead = false;
    }
    if (what === "signal") this.world.signal(query.get("name") ?? "SIGTERM");
    if (what === "announced") this.world.announced();
    if (what === "token") this.token = query.get("is");
    if (what === "kill") {
      this.dead = true;
      this.world.end();
    }
    response.end("ok\n");
  }

  private answer(request: IncomingMessage, url: URL, path: string, response: ServerResponse): void {
    try {
      this.read(request, url, path, response);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refuse(response, 400, error.message);
    }
  }

  private read(request: IncomingMessage, url: URL, path: string, response: ServerResponse): void {
    const one = /^tasks\/(\d+)(\/cancel)?$/.exec(path);
    const within = url.searchParams.get("within");
    if (request.method === "POST") return this.act(request, path, one, response);
    if (path === "summary") return json(response, this.world.summary());
    if (path === "trends") return json(response, this.world.trends());
    if (path === "forecast") return json(response, this.world.forecast(within === null ? undefined : Number.parseFloat(within)));
    if (path === "attention") return json(response, { items: this.world.attention() });
    if (path === "failures") return json(response, { items: this.world.failures(url.searchParams) });
    if (path === "stops") return json(response, { items: this.world.reports });
    if (path === "events") return this.world.watch(request, response);
    if (path === "tasks") return json(response, page(this.world.find(url.searchParams), url.searchParams));
    if (path === "finished") return json(response, finishedPage(this.world.findFinished(url.searchParams), url.searchParams));
    const detail = one === null ? null : this.world.detail(Number(one[1]));
    return detail === null ? refuse(response, 404, "There is no such task.") : json(response, detail);
  }

  private act(request: IncomingMessage, path: string, one: RegExpExecArray | null, response: ServerResponse): void {
    if (!this.world.actions) return refuse(response, 405, "Actions are not allowed.");
    if (request.headers["if-match"]?.replaceAll('"', "") !== this.world.instance) return refuse(response, 412, "Another process answered.");
    if (path === "shutdown") this.world.signal("API");
    if (path === "shutdown/extend") request.on("data", (body: Buffer) => this.world.extend((JSON.parse(body.toString()) as { seconds: number }).seconds));
    if (path === "shutdown/force") this.world.force("API");
    if (one !== null && !this.world.cancel(Number(one[1]))) return refuse(response, 409, "This task cannot be cancelled.");
    response.statusCode = 202;
    response.end();
  }
}

function page<T extends Task>(all: T[], query: URLSearchParams): Page<T> {
  const limit = Number(query.get("limit") ?? 100);
  const from = Number(query.get("cursor") ?? 0);
  const next = from + limit < all.length ? String(from + limit) : null;
  return { total: all.length, items: all.slice(from, from + limit), next };
}

/** As the server does: too many that were ok come by group. */
function finishedPage(all: FinishedTask[], query: URLSearchParams): FinishedPage {
  const ok = all.filter(({ outcome }) => outcome === "ok");
  if (query.get("fold_ok") !== "true" || ok.length <= Number(query.get("limit") ?? 100)) return { ...page(all, query), folded: [] };
  const groups = new Map<string, FinishedTask[]>();
  for (const task of ok) groups.set(task.location, [...(groups.get(task.location) ?? []), task]);
  const folded = [...groups.values()].map((tasks): OkGroup => {
    const [newest, oldest] = [tasks[0]!, tasks.at(-1)!];
    const took = tasks.map(({ duration_seconds }) => duration_seconds).sort((one, other) => one - other);
    const { name, kind, labels } = newest;
    return {
      group: groupOf(newest), name, kind, labels, count: tasks.length, median_seconds: took[Math.floor((took.length - 1) / 2)]!, longest_seconds: took.at(-1)!,
      first: oldest.finished_at, last: newest.finished_at, last_task: newest.id,
    };
  });
  return { ...page(all.filter(({ outcome }) => outcome !== "ok"), query), folded: folded.sort((one, other) => other.count - one.count) };
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, detail: string): void {
  response.statusCode = status;
  response.setHeader("content-type", "application/problem+json");
  response.end(JSON.stringify({ type: "about:blank", title: "Refused", status, detail }));
}
