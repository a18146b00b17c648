// The known state of one process. Events may carry changes only, so the book adds them up as they arrive,
// also while the tab is hidden and nothing is drawn.

import { gravityOf, type JustEnded, second } from "./store.ts";
import type { Group, Outcome, Report, Summary } from "./wire.ts";

const FAILED: readonly Outcome[] = ["error", "panic", "timeout"];
const FAILED_KEPT = 12;

/** When each group was last heard, by `performance.now()`: its age counts on from there. */
const heardAt = new WeakMap<Group, number>();

export function groupAt(group: Group): number {
  return heardAt.get(group) ?? 0;
}

/** The age of its oldest task now, as its row shows it. */
export function oldestAge(group: Group): number | null {
  const { oldest_age_seconds: age } = group;
  return age === null ? null : age + Math.max(0, second.value - groupAt(group)) / 1_000;
}

export class Book {
  summary: Summary | null = null;
  report: Report | null = null;
  /** Tasks that failed in its stop, newest first: an event has the last that ended, however they did. */
  failed: JustEnded[] = [];
  private readonly groups = new Map<number, Group>();
  /** Groups of which every change since the last whole event was heard. */
  private readonly fresh = new Set<number>();
  /** Of the others, what events have said since: an answer that was read before them has older values. */
  private readonly ahead = new Map<number, Partial<Group>>();
  private order: { of: string; ids: number[] } = { of: "", ids: [] };
  private listed: Group[] = [];
  /** The server's own order, as last given in full. */
  private rank = new Map<number, number>();
  /** How many whole events were heard. */
  wholes = 0;

  constructor(readonly instance: string) {}

  /**
   * Takes an event, whole or with changes only, or a whole summary where there are no events. Returns false
   * where there is nothing that the changes apply to.
   */
  hear(heard: Partial<Summary>, at: number): boolean {
    if (heard.delta === true && this.summary === null) return false;
    this.summary = heard.delta === true ? { ...this.summary!, ...heard } : (heard as Summary);
    if (heard.delta !== true) {
      this.fresh.clear();
      this.ahead.clear();
      this.rank = rankOf(heard.groups ?? []);
      this.wholes += 1;
    }
    this.hearEnded(heard.shutdown?.recently_ended ?? []);
    for (const group of heard.groups ?? []) {
      if (group.name !== undefined) this.fresh.add(group.id);
      else if (!this.fresh.has(group.id)) this.ahead.set(group.id, { ...this.ahead.get(group.id), ...group });
      this.hearGroup(group, at);
    }
    return true;
  }

  /**
   * Adds the groups that events had no room for from a whole summary, all else of which may be older than
   * what was heard. `wholes` is as it was when the summary was asked for: what changed before a whole event
   * that came since is heard in no event, so that such groups are read again.
   */
  fill({ groups }: Summary, at: number, wholes: number): void {
    this.rank = rankOf(groups);
    for (const group of groups) {
      if (this.fresh.has(group.id)) continue;
      const ahead = this.ahead.get(group.id);
      const sameOldest = ahead === undefined || ahead.oldest_task === group.oldest_task;
      this.hearGroup({ ...group, ...ahead, ...(sameOldest && { oldest_age_seconds: group.oldest_age_seconds }) }, at);
      if (wholes === this.wholes) this.fresh.add(group.id);
    }
  }

  private hearEnded(ended: JustEnded[]): void {
    const known = new Set(this.failed.map(({ id }) => id));
    const fresh = ended.filter(({ id, outcome }) => FAILED.includes(outcome) && !known.has(id));
    if (fresh.length > 0) this.failed = [...fresh, ...this.failed].slice(0, FAILED_KEPT);
  }

  private hearGroup(heard: Partial<Group> & { id: number }, at: number): void {
    const known = this.groups.get(heard.id);
    // Changes to a group that is not known in full yet: it is missing, and read soon.
    if (known === undefined && heard.name === undefined) return;
    const group = { ...known, ...heard } as Group;
    // The age of the same oldest task is not sent again: it has advanced since it was heard.
    const age = known?.oldest_age_seconds ?? null;
    if (heard.oldest_age_seconds === undefined && known !== undefined && age !== null) group.oldest_age_seconds = age + (at - groupAt(known)) / 1_000;
    if (known !== undefined && isSame(known, group)) return;
    heardAt.set(group, at);
    this.groups.set(heard.id, group);
  }

  /** How many groups the server has that were never heard of. */
  get missing(): number {
    return Math.max(0, (this.summary?.groups_total ?? 0) - this.groups.size);
  }

  /** Whether there are groups of which changes were not heard. */
  get lacks(): boolean {
    return this.fresh.size < (this.summary?.groups_total ?? 0);
  }

  /**
   * The gravest first, then in the server's order. The order stays while the same groups have the same
   * warnings.
   */
  list(): Group[] {
    const found = [...this.groups.values()];
    const of = found.map((group) => `${group.id} ${gravityOf(group)}`).join();
    if (this.order.of !== of) {
      const place = ({ id }: Group) => this.rank.get(id) ?? this.rank.size;
      const sorted = [...found].sort((one, other) => gravityOf(other) - gravityOf(one) || place(one) - place(other) || other.live - one.live);
      this.order = { of, ids: sorted.map(({ id }) => id) };
    }
    const next = this.order.ids.map((id) => this.groups.get(id)).filter((group) => group !== undefined);
    const unchanged = next.length === this.listed.length && next.every((group, index) => group === this.listed[index]);
    if (!unchanged) this.listed = next;
    return this.listed;
  }
}

function rankOf(groups: Group[]): Map<number, number> {
  return new Map(groups.map(({ id }, index) => [id, index]));
}

/** Whether nothing has changed but the age of the same oldest task. */
function isSame(one: Group, other: Group): boolean {
  return (Object.keys(other) as (keyof Group)[]).every((key) => {
    const [a, b] = [one[key], other[key]];
    if (a === b || (key === "oldest_age_seconds" && one.oldest_task === other.oldest_task)) return true;
    return typeof a === "object" && typeof b === "object" && a !== null && b !== null && JSON.stringify(a) === JSON.stringify(b);
  });
}
