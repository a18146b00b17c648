// What the views ask for again and again, one path each.

import { ApiError, type Answer, get, inTime } from "../api.ts";
import { isReturning } from "../returning.ts";
import { link, paused } from "../store.ts";

export interface Asked<T> {
  answer: Answer<T> | null;
  problem: ApiError | null;
  /** The path that the answer belongs to: while it is not the one asked for, the old answer stands. */
  path: string | null;
  /** The answer is an earlier one, shown until a newer one comes. */
  recalled: boolean;
}

export const NOTHING = { answer: null, problem: null, path: null, recalled: false };
/** What all that is asked again and again may take of the network, in bytes a second. */
const BYTES_PER_SECOND = 9_000;
/** However long an answer took, it is asked for again after that long. */
const LONGEST = 10_000;

/** The newest answers, so that a view shows at once what it had when it was left. */
const recent = new Map<string, Asked<unknown>>();
const RECENT = 12;

/** An earlier answer. Back returns to it, and may hold it; elsewhere it is shown until a newer one comes. */
export function recall<T>(path: string | null, instance: string | null): Asked<T> {
  const found = path === null ? undefined : (recent.get(path) as Asked<T> | undefined);
  return found !== undefined && found.answer?.instance === instance ? { ...found, recalled: !isReturning() } : NOTHING;
}

/** Tells one list from another, so that only a list that is up to date is held. */
export function questionOf({ path, recalled }: Asked<unknown>): string | null {
  return recalled ? null : path;
}

function store<T>(path: string, asked: Asked<T>): void {
  recent.delete(path);
  recent.set(path, asked);
  if (RECENT < recent.size) recent.delete(recent.keys().next().value ?? "");
}

type Change<T> = (before: Asked<T>) => Asked<T>;

/**
 * Asks until it is stopped: each `every` seconds, and less often where answers are large or take long, so
 * that the page takes at most a tenth of the observer's time. An answer that `isFinal` stays, also where the
 * server does not know it any more. Gives what stops it.
 */
export function keepAsking<T>(path: string, every: number, change: (by: Change<T>) => void, isFinal: (value: T) => boolean = () => false): () => void {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout>;
  let first = true;
  const ask = async () => {
    const began = performance.now();
    const found = first || due() ? await askOnce<T>(path, abort.signal, change, isFinal) : null;
    if (found !== null) first = false;
    if (!abort.signal.aborted && found?.status !== 404 && found?.status !== 400) timer = setTimeout(ask, pauseOf(every, performance.now() - began, found));
  };
  void ask();
  return () => {
    abort.abort();
    clearTimeout(timer);
  };
}

interface Found {
  status: number;
  size: number;
}

function pauseOf(every: number, took: number, found: Found | null): number {
  // How long a failure took says nothing of what an answer costs.
  if (found?.status !== 200) return every * 1_000;
  return Math.max(every * 1_000 - took, Math.min(took * 9, LONGEST), (1_000 * found.size) / BYTES_PER_SECOND);
}

function due(): boolean {
  return document.visibilityState !== "hidden" && link.value.state !== "lost" && !paused.value;
}

/** Gives the status of a refusal and the size of an answer; null where nothing came. */
async function askOnce<T>(path: string, abort: AbortSignal, change: (by: Change<T>) => void, isFinal: (value: T) => boolean): Promise<Found | null> {
  try {
    const answer = await get<T>(path, AbortSignal.any([abort, inTime()]));
    const asked = { answer, problem: null, path, recalled: false };
    store(path, asked);
    change(() => asked);
    return { status: 200, size: answer.size };
  } catch (error) {
    if (abort.aborted || !(error instanceof ApiError) || error.status === 0) return null;
    const passes = error.status === 429 || 500 <= error.status;
    change((before) => {
      if (passes && before.answer !== null) return before;
      const stays = before.answer !== null && before.path === path && isFinal(before.answer.value);
      return { answer: stays ? before.answer : null, problem: error, path, recalled: false };
    });
    return { status: error.status, size: 0 };
  }
}
