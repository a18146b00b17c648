// The reader's place, as the URL holds it. Only what differs from the default is written, so that links stay
// short. Every place names its process (`in=64a4b1`, a task `task=3@64a4b1`), because ids mean something in
// one process only.

import { computed, signal } from "@preact/signals";
import { entryLeft, newEntry, type Entry } from "./returning.ts";
import type { Kind, Outcome, ServiceState, State } from "./wire.ts";

export type View = "groups" | "tasks" | "finished" | "services" | "lifetime" | "task" | "shutdown" | "end";
export type Order = "asc" | "desc";

export interface Place {
  view: View;
  /** The first digits of the process's instance. */
  in: string | null;
  /** The search text, kept across views. */
  q: string;
  sort: string | null;
  order: Order | null;
  state: State | null;
  kind: Kind | null;
  outcome: Outcome | null;
  /** Children below their parents. */
  as: "tree" | null;
  /** Only tasks of this group. */
  group: number | null;
  /** The task of the view `task`. */
  task: number | null;
  /** The row opened in place. */
  open: number | null;
  /** The cursor of the list's page, and the number of its first row. */
  cursor: string | null;
  from: number | null;
}

export const VIEWS: readonly View[] = ["groups", "tasks", "finished", "services", "lifetime", "task", "shutdown", "end"];
export const STATES: readonly State[] = ["blocked", "running", "idle", "queued", "limited"];
export const KINDS: readonly Kind[] = ["task", "local", "blocking", "future", "request", "service", "timer"];
export const SERVICE_STATES: readonly ServiceState[] = ["running", "waiting", "backing_off", "failed", "ended", "stopped", "lost"];
export const OUTCOMES: readonly Outcome[] = ["ok", "error", "panic", "cancelled", "timeout", "rejected", "abandoned"];
const ORDERS: readonly Order[] = ["asc", "desc"];
/** Long enough that two processes in a row do not share it. */
const TAG = 6;

export const HOME: Place = {
  view: "groups",
  in: null,
  q: "",
  sort: null,
  order: null,
  state: null,
  kind: null,
  outcome: null,
  as: null,
  group: null,
  task: null,
  open: null,
  cursor: null,
  from: null,
};

export function parse(search: string): Place {
  const query = new URLSearchParams(search);
  const [task = null, taskIn = null] = query.get("task")?.split("@") ?? [];
  const place: Place = {
    view: oneOf(VIEWS, query.get("view")) ?? HOME.view,
    in: instanceTag(taskIn ?? query.get("in")),
    q: query.get("q") ?? "",
    sort: query.get("sort"),
    order: oneOf(ORDERS, query.get("order")),
    state: oneOf(STATES, query.get("state")),
    kind: oneOf(KINDS, query.get("kind")),
    outcome: oneOf(OUTCOMES, query.get("outcome")),
    as: oneOf(["tree"], query.get("as")),
    group: whole(query.get("group")),
    task: whole(task),
    open: whole(query.get("open")),
    cursor: query.get("cursor"),
    from: whole(query.get("from")),
  };
  if (place.view === "task" && place.task === null) return { ...place, view: "tasks" };
  return place.view === "end" && place.in === null ? { ...place, view: "lifetime" } : place;
}

export function href(place: Place): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(place)) {
    if (value === HOME[key as keyof Place] || value === null) continue;
    if (key === "task" && place.in !== null) query.set("task", `${value}@${place.in}`);
    else if (key !== "in" || place.task === null) query.set(key, String(value));
  }
  const text = query.toString().replaceAll("%40", "@");
  return text === "" ? "./" : `?${text}`;
}

/** The tag of the process that answers; null until it has. */
export const here = signal<string | null>(null);

/** A link to another view of this process, with nothing taken along. */
export function link(patch: Partial<Place>): string {
  return href({ ...HOME, in: here.value, ...patch });
}

function oneOf<T extends string>(known: readonly T[], value: string | null): T | null {
  return known.find((one) => one === value) ?? null;
}

function whole(value: string | null): number | null {
  return value !== null && /^\d{1,16}$/.test(value) ? Number(value) : null;
}

function instanceTag(value: string | null): string | null {
  return value !== null && /^[0-9a-zA-Z_-]{4,64}$/.test(value) ? value : null;
}

export const place = signal<Place>(HOME);

/** Whether the address names a process that is not the one that answers. */
export const foreign = computed(() => {
  const { in: named } = place.value;
  return named !== null && here.value !== null && !named.startsWith(here.value) && !here.value.startsWith(named);
});

/** Whether the place makes no sense in another process. */
export function isBound({ task, open, group, cursor }: Place): boolean {
  return task !== null || open !== null || group !== null || cursor !== null;
}

/**
 * Binds the place to the process that answers, if the place names no process. A place without ids moves over
 * to that process.
 */
export function settle(instance: string): void {
  const before = here.value;
  here.value = instance.slice(0, TAG);
  const at = place.value;
  if (at.view === "end" || (at.in !== null && at.in !== before) || (at.in === before && before !== null && isBound(at))) return;
  if (at.in !== here.value) write({ ...at, in: here.value }, "replace");
}

/** Follows the address bar from now on. */
export function follow(): void {
  history.scrollRestoration = "manual";
  place.value = parse(location.search);
  newEntry("replace");
  addEventListener("popstate", (event) => {
    entryLeft(event.state as Entry | null);
    place.value = parse(location.search);
  });
}

/** Another place, with a step back to this one. */
export function go(next: Partial<Place>): void {
  write({ ...HOME, in: here.value, ...next }, "push");
}

/** The same place seen differently: sorted, filtered, another row open. */
export function adjust(patch: Partial<Place>): void {
  const at = place.value;
  const named = foreign.value && !isBound(at) ? here.value : at.in;
  write({ ...at, in: named, ...patch }, "replace");
}

/** Another place instead of this one. */
export function replace(next: Partial<Place>): void {
  write({ ...HOME, in: here.value, ...next }, "replace");
}

function write(next: Place, how: "push" | "replace"): void {
  const address = href(next) === "./" ? location.pathname : href(next);
  newEntry(how, address);
  place.value = next;
}

/** Links to other views of this page change the place without loading it again. */
export function followLinks(): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const anchor = event.target instanceof Element ? event.target.closest("a") : null;
    const address = anchor?.getAttribute("href") ?? "";
    if (!address.startsWith("?") && address !== "./") return;
    event.preventDefault();
    write(parse(address === "./" ? "" : address), "push");
  });
}
