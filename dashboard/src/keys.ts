// The keyboard: `/` searches, `?` helps, letters change the view, arrows move between rows, Escape closes.

import { signal } from "@preact/signals";
import { adjust, go, place, type View } from "./place.ts";
import { takeover } from "./store.ts";
import { switchTheme } from "./theme.ts";

export const helping = signal(false);

const VIEW_KEYS: Record<string, View> = { g: "groups", t: "tasks", f: "finished", l: "lifetime" };

export function listen(): void {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || helping.value) return;
    if (event.key === "Escape") return escape(event);
    if (typing(event.target)) return;
    if (act(event.key)) event.preventDefault();
  });
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, select, textarea");
}

function act(key: string): boolean {
  const view = VIEW_KEYS[key];
  if (view !== undefined) return show(view);
  if (key === "/") return search();
  if (key === "?") return (helping.value = true);
  if (key === "d") return (switchTheme(), true);
  if (key === "ArrowDown" || key === "j") return step(1);
  if (key === "ArrowUp" || key === "k") return step(-1);
  return false;
}

function show(view: View): boolean {
  takeover.value = false;
  go({ view, q: place.value.q });
  return true;
}

function search(): boolean {
  const box = document.querySelector<HTMLInputElement>("[data-search]");
  box?.focus();
  box?.select();
  return box !== null;
}

/** To the next row's own control, from wherever the focus is. */
function step(by: 1 | -1): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
  if (rows.length === 0) return false;
  const inside = document.activeElement?.closest("tr")?.querySelector<HTMLElement>("[data-row]") ?? null;
  const at = inside === null ? -1 : rows.indexOf(inside);
  const next = at === -1 ? (by === 1 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by));
  rows[next]?.focus();
  rows[next]?.scrollIntoView({ block: "nearest" });
  return true;
}

/** One thing at a time: what is asked, the search, the open row, then back from one task. */
function escape(event: KeyboardEvent): void {
  if (document.querySelector("[data-asking]") !== null) return;
  const { target } = event;
  if (target instanceof HTMLInputElement && target.matches("[data-search]")) {
    if (target.value === "") target.blur();
    else adjust({ q: "", cursor: null, from: null });
  } else if (place.value.open !== null) adjust({ open: null });
  else if (place.value.view === "task") history.length > 1 ? history.back() : go({ view: "tasks" });
}
