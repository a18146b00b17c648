import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, type Answer, get } from "../api.ts";
import { dropFrames, onFrame } from "../frame.ts";
import { link, second, summary } from "../store.ts";
import { asking } from "./confirm.tsx";

export interface Asked<T> {
  answer: Answer<T> | null;
  problem: ApiError | null;
  /** The path that the answer belongs to: while it is not the one asked for, the old answer stands. */
  path: string | null;
}

const NOTHING = { answer: null, problem: null, path: null };
let names = 0;

/**
 * Asks for `path` again and again while the tab is visible and the process answers: each `every` seconds, and less
 * often where answers take long, so that the page takes at most a tenth of the observer's time.
 */
export function useAnswer<T>(path: string | null, every = 1): Asked<T> {
  const [asked, setAsked] = useState<Asked<T>>(NOTHING);
  const instance = useComputed(() => summary.value?.instance ?? null).value;
  const name = useRef("");
  if (name.current === "") name.current = `answer ${(names += 1)}`;

  useEffect(() => {
    setAsked((before) => (before.answer !== null && before.answer.instance !== instance ? NOTHING : before));
    if (path === null) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const ask = async () => {
      const began = performance.now();
      const lost = due() && (await askOnce<T>(path, abort.signal, name.current, setAsked)) === 404;
      const took = performance.now() - began;
      if (!abort.signal.aborted && !lost) timer = setTimeout(ask, Math.max(every * 1_000 - took, took * 9));
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
      dropFrames(name.current);
    };
  }, [path, every, instance]);

  return asked;
}

function due(): boolean {
  return document.visibilityState !== "hidden" && link.value.state !== "lost";
}

/** Gives the status of a refusal. */
async function askOnce<T>(path: string, abort: AbortSignal, name: string, set: (asked: Asked<T>) => void): Promise<number | null> {
  try {
    const answer = await get<T>(path, abort);
    onFrame(name, () => set({ answer, problem: null, path }));
    return null;
  } catch (error) {
    if (abort.aborted || !(error instanceof ApiError) || error.status === 0) return null;
    onFrame(name, () => set({ answer: null, problem: error, path }));
    return error.status;
  }
}

export interface Held<T> {
  item: T;
  /** It is gone from the list, and only shown because the list holds still. */
  left: boolean;
}

/**
 * The items; while `held`, in the order and with the members that they had when that began, each as last known.
 * Another `question` (sorting, search, page) is another list and never held back.
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

/** Whether the pointer or a question is on the element, so that nothing may move under it. */
export function useHold() {
  const inside = useSignal(false);
  const held = inside.value || 0 < asking.value;
  return {
    held,
    hold: {
      onPointerEnter: () => (inside.value = true),
      onPointerLeave: () => (inside.value = false),
    },
  };
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
