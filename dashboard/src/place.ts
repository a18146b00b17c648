// Where the reader is, as it stands in the URL: only what differs from the default, so that links stay short.

import { signal } from "@preact/signals";
import type { Kind, Outcome, State } from "./wire.ts";

export type View = "groups" | "tasks" | "finished" | "lifetime" | "task";
export type Order = "asc" | "desc";

export interface Place {
  view: View;
  /** The search text, kept across views. */
  q: string;
  sort: string | null;
  order: Order | null;
  state: State | null;
  kind: Kind | null;
  outcome: Outcome | null;
  /** Only tasks of this group. */
  group: number | null;
  /** The task of the view `task`. */
  task: number | null;
  /** The row opened in place. */
  open: number | null;
  /** Where the page of the list begins, and the number of its first row. */
  cursor: string | null;
  from: number | null;
}

export const VIEWS: readonly View[] = ["groups", "tasks", "finished", "lifetime", "task"];
export const STATES: readonly State[] = ["running", "idle", "queued", "blocked"];
export const KINDS: readonly Kind[] = ["task", "local", "blocking", "future", "request"];
export const OUTCOMES: readonly Outcome[] = ["ok", "error", "panic", "cancelled", "aborted"];
const ORDERS: readonly Order[] = ["asc", "desc"];

export const HOME: Place = {
  view: "groups",
  q: "",
  sort: null,
  order: null,
  state: null,
  kind: null,
  outcome: null,
  group: null,
  task: null,
  open: null,
  cursor: null,
  from: null,
};

export function parse(search: string): Place {
  const query = new URLSearchParams(search);
  const place: Place = {
    view: oneOf(VIEWS, query.get("view")) ?? HOME.view,
    q: query.get("q") ?? "",
    sort: query.get("sort"),
    order: oneOf(ORDERS, query.get("order")),
    state: oneOf(STATES, query.get("state")),
    kind: oneOf(KINDS, query.get("kind")),
    outcome: oneOf(OUTCOMES, query.get("outcome")),
    group: whole(query.get("group")),
    task: whole(query.get("task")),
    open: whole(query.get("open")),
    cursor: query.get("cursor"),
    from: whole(query.get("from")),
  };
  return place.view === "task" && place.task === null ? { ...place, view: "tasks" } : place;
}

export function href(place: Place): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(place)) {
    if (value !== HOME[key as keyof Place] && value !== null) query.set(key, String(value));
  }
  const text = query.toString();
  return text === "" ? "./" : `?${text}`;
}

/** A link to another view, with nothing taken along but the search text. */
export function link(patch: Partial<Place>): string {
  return href({ ...HOME, ...patch });
}

function oneOf<T extends string>(known: readonly T[], value: string | null): T | null {
  return known.find((one) => one === value) ?? null;
}

function whole(value: string | null): number | null {
  return value !== null && /^\d{1,16}$/.test(value) ? Number(value) : null;
}

export const place = signal<Place>(HOME);

/** Follows the address bar from now on. */
export function follow(): void {
  const read = () => {
    place.value = parse(location.search);
  };
  read();
  addEventListener("popstate", read);
}

/** Another place, with a step back to this one. */
export function go(next: Partial<Place>): void {
  move({ ...HOME, ...next }, "push");
}

/** The same place seen differently: sorted, filtered, another row open. */
export function adjust(patch: Partial<Place>): void {
  move({ ...place.value, ...patch }, "replace");
}

function move(next: Place, how: "push" | "replace"): void {
  const address = href(next) === "./" ? location.pathname : href(next);
  if (how === "push") history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  place.value = next;
}

/** Links to other views of this page change the place without loading it again. */
export function followLinks(onFollow: () => void): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const anchor = event.target instanceof Element ? event.target.closest("a") : null;
    const address = anchor?.getAttribute("href") ?? "";
    if (!address.startsWith("?") && address !== "./") return;
    event.preventDefault();
    onFollow();
    move(parse(address === "./" ? "" : address), "push");
    scrollTo(0, 0);
  });
}
