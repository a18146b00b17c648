import { useEffect, useState } from "preact/hooks";
import { get } from "../api.ts";
import type { Outcome, TaskDetail } from "../wire.ts";
import { Duration } from "./amount.tsx";
import { Word } from "./mark.tsx";

interface End {
  outcome: Outcome;
  duration_seconds: number;
}

const AT_ONCE = 2;
const known = new Map<number, End>();
const wanted: { id: number; tell: (end: End) => void }[] = [];
let asking = 0;

/** How a task ended that a held list still shows: asked once, two at a time. */
export function LeftOutcome({ id, outcome }: { id: number; outcome: Outcome | undefined }) {
  const [end, setEnd] = useState<End | null>(known.get(id) ?? null);
  useEffect(() => {
    if (outcome !== undefined || end !== null) return;
    const entry = { id, tell: setEnd };
    wanted.push(entry);
    askNext();
    return () => {
      const at = wanted.indexOf(entry);
      if (at !== -1) wanted.splice(at, 1);
    };
  }, [id]);
  const shown = outcome ?? end?.outcome;
  if (shown === undefined) return <span class="word soft">ended</span>;
  return <Word of={shown}>{end !== null && outcome === undefined && <span class="state-since"> after <Duration seconds={end.duration_seconds} /></span>}</Word>;
}

function askNext(): void {
  if (AT_ONCE <= asking) return;
  const next = wanted.shift();
  if (next === undefined) return;
  asking += 1;
  void get<TaskDetail>(`tasks/${next.id}`)
    .then(({ value: { outcome, duration_seconds } }) => {
      if (outcome === null || duration_seconds === null) return;
      const end = { outcome, duration_seconds };
      if (1_000 < known.size) known.clear();
      known.set(next.id, end);
      next.tell(end);
    })
    .catch(() => undefined)
    .finally(() => {
      asking -= 1;
      askNext();
    });
}
