// A list that comes in pages: what stands in its place while there is none, and the way to its other pages.

import type { ComponentChildren } from "preact";
import type { Answer } from "../api.ts";
import { adjust } from "../place.ts";
import type { Page } from "../wire.ts";
import type { Asked } from "./asking.ts";
import { Pager } from "./controls.tsx";
import { Empty, Skeleton } from "./empty.tsx";

const LIMIT = 50;

/** The address of a page; what is null or empty narrows nothing. */
export function pagePath(list: string, narrowed: Record<string, string | number | null>): string {
  const query = new URLSearchParams({ limit: String(LIMIT) });
  for (const [key, value] of Object.entries(narrowed)) {
    if (value !== null && value !== "") query.set(key, String(value));
  }
  return `${list}?${query}`;
}

interface ListingProps<T> {
  asked: Asked<Page<T>>;
  /** Rows that are drawn. */
  shown: number;
  /** What stands where there is no row. */
  none: ComponentChildren;
  children: (answer: Answer<Page<T>>) => ComponentChildren;
}

export function Listing<T>({ asked: { answer, problem }, shown, none, children }: ListingProps<T>) {
  return (
    <>
      {problem !== null ? <Refused detail={problem.detail} /> : answer === null ? <Skeleton rows={10} /> : shown === 0 ? none : children(answer)}
      <Pager shown={answer?.value.items.length ?? 0} next={answer?.value.next ?? null} />
    </>
  );
}

/** The server does not understand the search: its own words, and the way back. */
function Refused({ detail }: { detail: string }) {
  return (
    <Empty title={detail}>
      <p>
        A search is words, and filters such as <code>state:blocked</code>, <code>age:&gt;5m</code>, <code>label.provider:ses</code>, <code>outcome:panic</code>.{" "}
        <Clear />
      </p>
    </Empty>
  );
}

/** Shows everything again. */
export function Clear() {
  return (
    <button type="button" class="link" onClick={() => adjust({ q: "", state: null, kind: null, outcome: null, group: null, cursor: null, from: null })}>
      Clear search and filters
    </button>
  );
}
