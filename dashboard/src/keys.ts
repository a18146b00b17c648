// The keyboard: `/` searches, `?` helps, letters change the view, arrows move between rows, Space pauses,
// Escape closes.

import { signal } from "@preact/signals";
import { resume } from "./live.ts";
import { announcement } from "./parts/copy.tsx";
import { adjust, go, place, type View } from "./place.ts";
import { focusOn } from "./returning.ts";
import { paused, stopping } from "./store.ts";
import { switchTheme } from "./theme.ts";

export const helping = signal(false);

const VIEW_KEYS: Record<string, View> = { g: "groups", t: "tasks", f: "finished", s: "services", l: "lifetime" };

export function listen(): void {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || helping.value) return;
    if (event.key === "Escape") return escape(event);
    if (isTyped(event.target)) return;
    if (event.key === " " && isPressed(event.target)) return;
    if (act(event.key)) event.preventDefault();
  });
}

function isTyped(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, select, textarea");
}

/** Space means something to the control itself. */
function isPressed(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("button, summary, [role=button], pre");
}

function act(key: string): boolean {
  const view = VIEW_KEYS[key];
  if (view !== undefined) return show(view);
  if (key === "/") return search();
  if (key === "?") return (helping.value = true);
  if (key === "d") return (switchTheme(), true);
  if (key === " ") return (togglePause(), true);
  if (key === "ArrowDown" || key === "j") return step(1);
  if (key === "ArrowUp" || key === "k") return step(-1);
  if (key === "ArrowRight") return unfold("false");
  if (key === "ArrowLeft") return unfold("true");
  return false;
}

function show(view: View): boolean {
  if (view === "lifetime" && stopping.value) go({ view: "shutdown" });
  else go({ view, q: place.value.q });
  return true;
}

/** Everything stands still until it is pressed again. A stop is never paused. */
export function togglePause(): void {
  if (stopping.value) return;
  if (paused.value) resume();
  else paused.value = true;
  announcement.value = paused.value ? "Paused" : "Live again";
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

/** Opens or closes the branch of the focused row, where it is the other way. */
function unfold(expanded: "true" | "false"): boolean {
  const row = document.activeElement?.closest("tr");
  const control = row?.querySelector<HTMLElement>(`[data-fold][aria-expanded="${expanded}"], button[data-row][aria-expanded="${expanded}"]`);
  control?.click();
  return control != null;
}

/** One thing at a time: what is asked, the search, the open row, then back from one task. */
function escape(event: KeyboardEvent): void {
  if (document.querySelector("[data-asking]") !== null) return;
  const { target } = event;
  const { open, view } = place.value;
  if (target instanceof HTMLInputElement && target.matches("[data-search]")) {
    if (target.value === "") return target.blur();
    target.value = "";
    target.dispatchEvent(new Event("input"));
  } else if (open !== null) {
    adjust({ open: null });
    // Its row goes on having the focus.
    void (focusOn(`group ${open}`) || focusOn(`ended ${open}`));
  } else if (view === "task" || view === "end") history.length > 1 ? history.back() : go({ view: view === "task" ? "tasks" : "lifetime" });
}
