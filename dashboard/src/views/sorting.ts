import { groupAt } from "../book.ts";
import type { Order, Place } from "../place.ts";
import type { Group } from "../wire.ts";

const KEYS: Record<string, (group: Group) => number | string | null> = {
  name: (group) => group.name.toLowerCase(),
  live: (group) => group.live,
  rate: (group) => group.finished_per_second,
  p50: (group) => group.usual?.p50_seconds ?? null,
  p95: (group) => group.usual?.p95_seconds ?? null,
  p99: (group) => group.usual?.p99_seconds ?? null,
  busy: (group) => group.busy_share,
  failed: (group) => group.failed_share,
  // The earlier it was spawned, the older: groups of which only ages advance are not heard again.
  oldest: (group) => (group.oldest_age_seconds === null ? null : group.oldest_age_seconds - groupAt(group) / 1_000),
};

/** By default as they are given, the gravest first. What has no figure comes last. */
export function sortGroups(groups: Group[], sort: string | null, order: Order | null): Group[] {
  const key = sort === null ? undefined : KEYS[sort];
  if (key === undefined) return groups;
  const sign = order === "asc" ? 1 : -1;
  return [...groups].sort((one, other) => {
    const [a, b] = [key(one), key(other)];
    if (a === b) return one.id - other.id;
    if (a === null) return 1;
    if (b === null) return -1;
    return a < b ? -sign : sign;
  });
}

/** A click on a head: first the way that is asked for most, then the other, then as it was. */
export function nextSort(place: Place, key: string): Pick<Place, "sort" | "order" | "cursor" | "from"> {
  const start = { cursor: null, from: null };
  const first: Order = key === "name" ? "asc" : "desc";
  const current = place.sort === key ? (place.order ?? "desc") : null;
  if (current === null) return { sort: key, order: first, ...start };
  if (current === first) return { sort: key, order: first === "asc" ? "desc" : "asc", ...start };
  return { sort: null, order: null, ...start };
}
