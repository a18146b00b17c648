import type { ComponentChildren } from "preact";
import type { Order } from "../place.ts";

export interface Column {
  key: string;
  label: string;
  /** What the figure means, in a sentence. */
  hint?: string;
  class?: string;
  sortable?: boolean;
  /** What its order is called while nothing else is sorted by: `most urgent first`. */
  natural?: string;
}

interface HeadProps {
  columns: Column[];
  sort: string | null;
  order: Order | null;
  onSort?: (key: string) => void;
  children?: ComponentChildren;
}

export function Head({ columns, sort, order, onSort }: HeadProps) {
  return (
    <thead>
      <tr>
        {columns.map((column) => (
          <th
            key={column.key}
            scope="col"
            class={column.class}
            title={column.hint}
            aria-sort={sortOf(column, sort, order)}
          >
            {column.sortable === true && onSort !== undefined ? (
              <button type="button" class="sort" onClick={() => onSort(column.key)}>
                {column.label}
                <span class="arrow" aria-hidden="true">
                  {sort === column.key ? (order === "asc" ? "↑" : "↓") : ""}
                </span>
              </button>
            ) : (
              column.label
            )}
            {sort === null && column.natural !== undefined && <span class="natural">{column.natural}</span>}
          </th>
        ))}
      </tr>
    </thead>
  );
}

function sortOf({ key, sortable, natural }: Column, sort: string | null, order: Order | null): "ascending" | "descending" | "other" | undefined {
  if (sort === null) return natural === undefined ? undefined : "other";
  if (sortable !== true || sort !== key) return undefined;
  return order === "asc" ? "ascending" : "descending";
}
