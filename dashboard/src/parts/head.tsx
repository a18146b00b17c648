import type { ComponentChildren } from "preact";
import type { Order } from "../place.ts";

export interface Column {
  key: string;
  label: string;
  /** What the figure means, in a sentence. */
  hint?: string;
  class?: string;
  sortable?: boolean;
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
            aria-sort={column.sortable === true && sort === column.key ? (order === "asc" ? "ascending" : "descending") : undefined}
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
          </th>
        ))}
      </tr>
    </thead>
  );
}
