// What needs a look, as the server gives it; from an older server, the groups' warnings.

import { inWords, plain } from "./format.ts";
import { link, parse, HOME, type Place } from "./place.ts";
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
  return { items, more: all.length - items.length, groups: new Set(items.flatMap(({ link: to }) => (to.group === null ? [] : [to.group]))) };
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
  if (view === "lifetime") return link({ view });
  return link({ view, group, ...narrowing(query) });
}

/** A query of the server: a search text, or parameters of a list. `state:blocked` is also a button of the page. */
function narrowing(query: string | null): Partial<Place> {
  if (query === null) return {};
  const state = /^state:(\w+)$/.exec(query)?.[1];
  if (state !== undefined) return { state: parse(`?state=${state}`).state };
  if (!query.includes("=") || query.includes(" ")) return { q: query };
  const { q, state: of, kind, outcome, sort, order } = parse(`?${query}`);
  const given = { q, state: of, kind, outcome, sort, order };
  return Object.fromEntries(Object.entries(given).filter(([key, value]) => value !== HOME[key as keyof Place]));
}
