// Back returns to where the reader was: each history entry remembers its scroll position, the row that had
// the focus and where in the window it was. The row counts for more: the rows above it may have changed.

import { forTab } from "./storage.ts";

export interface Entry {
  key: string;
}

interface Seat {
  scroll: number;
  focus: string | null;
  /** Where the row began in the window; null where it was not in sight. */
  top: number | null;
}

const NEW: Seat = { scroll: 0, focus: null, top: null };
const KEPT = "headcount-seats";
/** Lists come from the server: their rows may be drawn this much later. */
const PATIENCE = 4_000;
/** Rows out of sight have estimated heights: the place is held until those above are drawn. */
const SETTLING = 1_000;

let current = "";
let made = 0;
let returning = false;
const seats = new Map<string, Seat>(saved());

function saved(): [string, Seat][] {
  try {
    return JSON.parse(forTab.get(KEPT) ?? "[]") as [string, Seat][];
  } catch {
    return [];
  }
}

/** Remembers where the reader is, as it changes. */
export function watchSeat(): void {
  addEventListener("scroll", () => note({ scroll: scrollY, top: inSight(seats.get(current)?.focus ?? null) }), { passive: true });
  document.addEventListener("focusin", ({ target }) => note({ focus: keyOf(target), top: inSight(keyOf(target)) }));
  document.addEventListener("focusin", ({ target }) => (focused = target instanceof Element ? target : null));
  document.addEventListener("focusout", ({ target }) => queueMicrotask(() => (target as Element).isConnected && target === focused && (focused = null)));
  new MutationObserver(() => focused?.isConnected === false && afterDrawing(catchFocus)).observe(document.body, { childList: true, subtree: true });
  addEventListener("pagehide", () => forTab.set(KEPT, JSON.stringify([...seats].slice(-40))));
  for (const input of ["wheel", "touchstart", "pointerdown", "keydown"]) addEventListener(input, () => (returning = false), { passive: true });
  if (seats.has(current)) restore(current);
}

/** What has the focus, also after it was taken away; null where the reader has let go of it. */
let focused: Element | null = null;

/** The focus of what is taken away goes to the view, so that the next key goes on from there. */
function catchFocus(): void {
  if (focused?.isConnected !== false) return;
  focused = null;
  if (document.activeElement === document.body) document.getElementById("main")?.focus({ preventScroll: true });
}

function note(change: Partial<Seat>): void {
  if (returning) return;
  seats.set(current, { ...(seats.get(current) ?? NEW), ...change });
}

function keyOf(target: EventTarget | null): string | null {
  return target instanceof Element ? (target.closest("[data-key]")?.getAttribute("data-key") ?? null) : null;
}

/** Writes the address; a pushed entry begins at the top of the page. */
export function newEntry(how: "push" | "replace", address?: string): void {
  if (how === "replace") {
    const entry = (history.state as Entry | null) ?? { key: nextKey() };
    current = entry.key;
    history.replaceState(entry, "", address);
    return;
  }
  current = nextKey();
  history.pushState({ key: current }, "", address);
  scrollTo(0, 0);
  afterDrawing(() => {
    // What had the focus is gone with its view: the next Tab goes on from the new one.
    if (document.activeElement === document.body) document.getElementById("main")?.focus({ preventScroll: true });
  });
}

function nextKey(): string {
  made += 1;
  return `${Date.now().toString(36)}-${made}`;
}

/** The reader went back or forward to `entry`. */
export function entryLeft(entry: Entry | null): void {
  current = entry?.key ?? nextKey();
  restore(current);
}

/** Whether Back or Forward is on its way to where the reader was. */
export function isReturning(): boolean {
  return returning;
}

function restore(key: string): void {
  const seat = seats.get(key) ?? NEW;
  const until = performance.now() + PATIENCE;
  returning = true;
  let focused = seat.focus === null;
  let settled = Infinity;
  const step = () => {
    if (!returning || key !== current) return;
    const now = performance.now();
    const room = document.documentElement.scrollHeight - innerHeight;
    const reached = seat.scroll <= room;
    if (reached || until < now) scrollTo(0, seat.scroll);
    focused ||= focusOn(seat.focus);
    if (reached && seat.top !== null) scrollBy(0, (topOf(seat.focus) ?? seat.top) - seat.top);
    if (reached && focused) settled = Math.min(settled, now + SETTLING);
    if (Math.min(settled, until) < now) returning = false;
    else requestAnimationFrame(step);
  };
  afterDrawing(step);
}

/** Focuses the control that carries the key; false while there is none. */
export function focusOn(key: string | null): boolean {
  const found = control(key);
  found?.focus({ preventScroll: true });
  return found !== null;
}

function control(key: string | null): HTMLElement | null {
  return key === null ? null : document.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`);
}

function topOf(key: string | null): number | null {
  return control(key)?.getBoundingClientRect().top ?? null;
}

function inSight(key: string | null): number | null {
  const top = topOf(key);
  return top !== null && 0 <= top && top < innerHeight ? top : null;
}

function afterDrawing(act: () => void): void {
  requestAnimationFrame(() => requestAnimationFrame(act));
}
