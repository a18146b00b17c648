import { useEffect, useState } from "preact/hooks";
import { ApiError, get, inTime } from "../api.ts";
import { second } from "../store.ts";
import type { Outcome, TaskDetail } from "../wire.ts";
import { Duration } from "./amount.tsx";
import { Word } from "./mark.tsx";

/** What its process says of a task that is not listed any more. */
export type Found = { is: "ended"; outcome: Outcome; seconds: number } | { is: "alive" } | { is: "unknown" };

interface Wanted {
  id: number;
  instance: string | null;
  tell: (found: Found) => void;
}

const AT_ONCE = 2;
/** How often it is asked again while the task is alive, in milliseconds. */
const AGAIN = 10_000;
const KNOWN = 1_000;
/** How tasks have ended, by process and id. */
const known = new Map<string, Found>();
const wanted: Wanted[] = [];
let asking = 0;

/**
 * How a task ended that a held list still shows. It need not have ended: a list shows one page, a stop at
 * most 20 tasks.
 */
export function LeftOutcome({ id, instance, outcome }: { id: number; instance: string | null; outcome: Outcome | undefined }) {
  const [found, setFound] = useState<Found | null>(known.get(keyOf(id, instance)) ?? null);
  const settled = outcome !== undefined || found?.is === "ended" || found?.is === "unknown";
  const turn = settled ? null : Math.floor(second.value / AGAIN);
  useEffect(() => (turn === null ? undefined : askFor({ id, instance, tell: setFound })), [id, instance, turn]);
  if (outcome !== undefined) return <Word of={outcome} />;
  if (found?.is === "ended") return <Word of={found.outcome}><span class="state-since"> after <Duration seconds={found.seconds} /></span></Word>;
  if (found?.is === "alive") return <span class="word soft" title="Among those that this list has no room for">still alive</span>;
  return <span class="word soft" title="Not in this list any more">not listed</span>;
}

/** Asks in turn, two at a time. Gives what takes the question back. */
export function askFor(entry: Wanted): () => void {
  wanted.push(entry);
  askNext();
  return () => {
    const at = wanted.indexOf(entry);
    if (at !== -1) wanted.splice(at, 1);
  };
}

function askNext(): void {
  if (AT_ONCE <= asking) return;
  const next = wanted.shift();
  if (next === undefined) return;
  asking += 1;
  void find(next)
    .then((found) => {
      if (found === null) return;
      if (KNOWN < known.size) known.clear();
      if (found.is === "ended") known.set(keyOf(next.id, next.instance), found);
      next.tell(found);
    })
    .finally(() => {
      asking -= 1;
      askNext();
    });
}

/** Null where nothing is known. In another process the same id is another task. */
async function find({ id, instance }: Wanted): Promise<Found | null> {
  try {
    const answer = await get<TaskDetail>(`tasks/${id}`, inTime());
    const { outcome, duration_seconds: seconds } = answer.value;
    if (answer.instance !== instance) return { is: "unknown" };
    return outcome === null || seconds === null ? { is: "alive" } : { is: "ended", outcome, seconds };
  } catch (error) {
    return error instanceof ApiError && error.status === 404 ? { is: "unknown" } : null;
  }
}

function keyOf(id: number, instance: string | null): string {
  return `${instance} ${id}`;
}
