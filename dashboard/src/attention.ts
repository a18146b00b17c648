// What needs a look, as the server gives it; from an older server, the groups' warnings.

import { inWords, plain } from "./format.ts";
import { link, parse, type Place } from "./place.ts";
import { gravityOf, severityOf } from "./store.ts";
import type { Attention, AttentionLink, Group, Severity, Summary, Warning } from "./wire.ts";

const MOST = 5;
const RANK: Record<Severity, number> = { critical: 0, warning: 1, notice: 2 };

export interface Shown {
  items: Attention[];
  /** How many there are beyond those. */
  more: number;
  /** Groups whose warnings are among them. */
  groups: Set<number>;
}

export function attentionOf(summary: Summary | null, groups: Group[]): Shown {
  const all = [...(summary?.attention ?? groups.filter((group) => gravityOf(group) > 0).flatMap(fromWarnings))];
  all.sort((one, other) => RANK[one.severity] - RANK[other.severity]);
  const items = all.slice(0, MOST);
  return { items, more: all.length - items.length, groups: spokenOf(items, groups) };
}

function fromWarnings(group: Group): Attention[] {
  return group.warnings.map((warning) => ({
    severity: severityOf(warning, group),
    sentence: `${plain(group.name)}: ${inWords(warning.text)}`,
    since: null,
    location: group.location,
    link: whereTo(warning, group),
  }));
}

function whereTo({ code }: Warning, { id: group, oldest_task: task }: Group): AttentionLink {
  if (code === "blocked") return { view: "tasks", task: null, query: "state:blocked", group };
  if (code === "failing") return { view: "finished", task: null, query: null, group };
  if (code === "stuck" && task !== null) return { view: "task", task, query: null, group };
  return { view: "group", task: null, query: null, group };
}

/** The address of what a sentence speaks of. */
export function addressOf({ view, task, query, group }: AttentionLink): string {
  if (view === "task") return link(task === null ? { view: "tasks" } : { view, task });
  if (view === "group") return link({ view: "groups", open: group });
  if (view === "lifetime" || view === "services") return link({ view });
  return link({ view, ...(group !== null && { group }), ...narrowing(query) });
}

/** A query of the server, taken apart into what the page has controls for; the rest is a search. */
function narrowing(query: string | null): Partial<Place> {
  const place: Partial<Place> = {};
  const rest: string[] = [];
  for (const word of query?.split(/\s+/) ?? []) {
    const [, key, value = ""] = /^(state|kind|outcome|group)[:=](\w+)$/.exec(word) ?? [];
    const found = key === undefined ? null : parse(`?${key}=${value}`)[key as "state" | "kind" | "outcome" | "group"];
    if (found === null) rest.push(word);
    else Object.assign(place, { [key!]: found });
  }
  const q = rest.join(" ").trim();
  return q === "" ? place : { ...place, q };
}

/** The groups that the sentences speak of: by their link, or by the name that a sentence begins with. */
function spokenOf(items: Attention[], groups: Group[]): Set<number> {
  const found = new Set<number>();
  for (const { link: to, sentence } of items) {
    const group = to.group ?? narrowing(to.query).group ?? null;
    if (group !== null) found.add(group);
    else if (to.task !== null) for (const { id, name } of groups) if (sentence.startsWith(`${plain(name)} #`)) found.add(id);
  }
  return found;
}
