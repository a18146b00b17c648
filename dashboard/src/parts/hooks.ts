import { useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { dropFrames, onFrame } from "../frame.ts";
import { place } from "../place.ts";
import { instance as running, paused, second } from "../store.ts";
import { type Asked, keepAsking, NOTHING, recall } from "./asking.ts";
import { asking } from "./confirm.tsx";

let names = 0;

/**
 * Asks for `path` repeatedly while the tab is visible, the page is not paused and the process answers. It
 * asks each `every` seconds, and less often where answers are large or take long, so that the page takes at
 * most a tenth of the observer's time. An answer that `isFinal` stays when the server has dropped it.
 */
export function useAnswer<T>(path: string | null, every = 1, isFinal?: (value: T) => boolean): Asked<T> {
  const instance = running.value;
  const [asked, setAsked] = useState<Asked<T>>(() => recall<T>(path, instance));
  const name = useRef("");
  if (name.current === "") name.current = `answer ${(names += 1)}`;

  useEffect(() => {
    setAsked((before) => {
      const known = recall<T>(path, instance);
      if (known !== NOTHING) return known;
      return before.answer !== null && before.answer.instance !== instance ? NOTHING : before;
    });
    if (path === null) return;
    const stop = keepAsking<T>(path, every, (change) => onFrame(name.current, () => setAsked(change)), isFinal);
    return () => {
      stop();
      dropFrames(name.current);
    };
  }, [path, every, instance]);

  return asked;
}

export interface Held<T> {
  item: T;
  /** It is gone from the list, and only shown because the list holds still. */
  left: boolean;
}

/**
 * The items. While `held`, the list keeps the order and the members that it had when that began, each as last
 * known. Another `question` (sorting, search, page) is another list and never held back.
 */
export function useHeld<T extends { id: number }>(items: T[], held: boolean, question: string | null = null): Held<T>[] {
  const kept = useRef<T[]>(items);
  const asked = useRef(question);
  const another = asked.current !== question || kept.current.length === 0;
  asked.current = question;
  if (!held || another) {
    kept.current = items;
    return items.map((item) => ({ item, left: false }));
  }
  const now = new Map(items.map((item) => [item.id, item]));
  kept.current = kept.current.map((item) => now.get(item.id) ?? item);
  return kept.current.map((item) => ({ item, left: !now.has(item.id) }));
}

/**
 * Whether the reader is at the list, so that nothing may move there: the pointer or the keyboard's focus is
 * in it, it was touched, a row of it is open, a question is asked, or the page is paused. `pinned` says that
 * a row is open.
 */
export function useHold(pinned = false) {
  const pointer = useSignal(false);
  const focus = useSignal(false);
  const touched = useSignal(false);
  const element = useRef<HTMLElement | null>(null);
  const held = pointer.value || focus.value || touched.value || pinned || paused.value || 0 < asking.value;

  useEffect(() => {
    if (!touched.value) return;
    const elsewhere = ({ target }: Event) => {
      if (!(target instanceof Node) || !(element.current?.contains(target) ?? false)) touched.value = false;
    };
    addEventListener("pointerdown", elsewhere);
    return () => removeEventListener("pointerdown", elsewhere);
  }, [touched.value]);

  return {
    held,
    release: () => {
      pointer.value = focus.value = touched.value = false;
      if (element.current?.contains(document.activeElement) === true) (document.activeElement as HTMLElement).blur();
    },
    hold: {
      onPointerEnter: (event: PointerEvent) => {
        if (event.pointerType === "mouse") pointer.value = true;
      },
      onPointerLeave: () => (pointer.value = false),
      onPointerDown: (event: PointerEvent) => {
        element.current = event.currentTarget as HTMLElement;
        if (event.pointerType !== "mouse") touched.value = true;
      },
      onFocusIn: (event: FocusEvent) => {
        element.current = event.currentTarget as HTMLElement;
        focus.value = event.target instanceof Element && event.target.matches("tbody :focus-visible, li :focus-visible");
      },
      onFocusOut: (event: FocusEvent) => {
        if (!(event.currentTarget as Element).contains(event.relatedTarget as Node | null)) focus.value = false;
      },
    },
  };
}

/** Whether the row opened in place is among these. */
export function isOpen(items: { id: number }[]): boolean {
  const { open } = place.value;
  return open !== null && items.some(({ id }) => id === open);
}

/** How much `total` has grown since the list stood still. */
export function useGrown(held: boolean, total: number): number {
  const from = useRef<number | null>(null);
  if (!held) from.current = null;
  else from.current ??= total;
  return from.current === null ? 0 : Math.max(0, total - from.current);
}

/** Seconds to add to what was read at `at`, ticking each second. */
export function since(at: number): number {
  return Math.max(0, (second.value - at) / 1_000);
}

/** `performance.now()` ten times a second while `active`: for countdowns. */
export function useTenths(active: boolean): number {
  const now = useSignal(performance.now());
  useEffect(() => {
    if (!active) return;
    const timer = setInterval(() => {
      if (document.visibilityState !== "hidden") onFrame("tenths", () => (now.value = performance.now()));
    }, 100);
    return () => clearInterval(timer);
  }, [active]);
  return now.value;
}
