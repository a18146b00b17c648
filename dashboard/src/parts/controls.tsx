import { useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { count } from "../format.ts";
import { adjust, place } from "../place.ts";
import { Short } from "./amount.tsx";

interface ChoiceProps<T extends string> {
  label: string;
  /** What stands for no choice. */
  all: string;
  of: readonly T[];
  value: T | null;
  mark?: (one: T) => ComponentChildren;
  /** How many there are of each, where known. */
  counts?: Partial<Record<T, number>> | undefined;
  onChoose: (one: T | null) => void;
}

/** One of a few, all in sight. */
export function Choice<T extends string>({ label, all, of, value, mark, counts, onChoose }: ChoiceProps<T>) {
  return (
    <div class="choice" role="group" aria-label={label}>
      <button type="button" aria-pressed={value === null} onClick={() => onChoose(null)}>
        {all}
      </button>
      {of.map((one) => (
        <button key={one} type="button" aria-pressed={value === one} onClick={() => onChoose(value === one ? null : one)}>
          {mark?.(one)}
          {one}
          {counts?.[one] !== undefined && <span class="choice-count"><Short of={counts[one]} /></span>}
        </button>
      ))}
    </div>
  );
}

export function Chip({ label, onClear }: { label: string; onClear: () => void }) {
  return (
    <button type="button" class="chip" title="Show all again" onClick={onClear}>
      <bdi>{label}</bdi> <span aria-hidden="true">×</span>
      <span class="unseen">, show all again</span>
    </button>
  );
}

/** Which rows, and the way to the others. The cursors gone through lead back. */
export function Pager({ shown, next }: { shown: number; next: string | null }) {
  const before = useRef<{ cursor: string | null; from: number | null }[]>([]);
  const { cursor, from } = place.value;
  const first = from ?? 1;
  if (cursor === null) before.current = [];
  if (cursor === null && next === null) return null;
  const forward = () => {
    before.current.push({ cursor, from });
    adjust({ cursor: next, from: first + shown });
  };
  const back = () => adjust(before.current.pop() ?? { cursor: null, from: null });
  return (
    <nav class="pager" aria-label="Pages">
      <span>
        {shown === 0 ? "0" : `${count(first)}–${count(first + shown - 1)}`}
      </span>
      <button type="button" class="button" disabled={cursor === null} onClick={back}>
        Previous
      </button>
      <button type="button" class="button" disabled={next === null} onClick={forward}>
        Next
      </button>
    </nav>
  );
}

export function Toggle({ label, hint, on, onToggle }: { label: string; hint: string; on: boolean; onToggle: () => void }) {
  return (
    <div class="choice">
      <button type="button" aria-pressed={on} title={hint} onClick={onToggle}>
        {label}
      </button>
    </div>
  );
}
