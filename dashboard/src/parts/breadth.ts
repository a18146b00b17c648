// How many columns are seen: cells that span a table must not span the ones that a narrow window hides.

import { signal } from "@preact/signals";
import type { Column } from "./head.tsx";

const wide = matchMedia("(min-width: 1280px)");
const mid = matchMedia("(min-width: 760px)");
const breadth = signal(measure());

function measure(): "wide" | "mid" | "narrow" {
  if (wide.matches) return "wide";
  return mid.matches ? "mid" : "narrow";
}

for (const query of [wide, mid]) query.addEventListener("change", () => (breadth.value = measure()));

export function seen(columns: Column[]): number {
  const hidden = breadth.value === "wide" ? [] : breadth.value === "mid" ? ["wide"] : ["wide", "mid"];
  return columns.filter((column) => !hidden.some((name) => column.class?.split(" ").includes(name))).length;
}
