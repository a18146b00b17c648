// The known state of one process. Events may carry changes only, so the book adds them up as they arrive,
// also while the tab is hidden and nothing is drawn.

import { gravityOf, second } from "./store.ts";
import type { Group, Summary } from "./wire.ts";

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
  private readonly groups = new Map<number, Group>();
  private order: { of: string; ids: number[] } = { of: "", ids: [] };
  private listed: Group[] = [];
  /** The server's own order, as last given in full. */
  private rank = new Map<number, number>();

  constructor(readonly instance: string) {}

  /**
   * Adds a whole summary or an event with changes only. Returns false where there is nothing that the changes
   * apply to.
   */
  hear(heard: Partial<Summary>, at: number): boolean {
    if (heard.delta === true && this.summary === null) return false;
    this.summary = heard.delta === true ? { ...this.summary!, ...heard } : (heard as Summary);
    if (heard.delta !== true && heard.groups !== undefined) this.rank = new Map(heard.groups.map(({ id }, index) => [id, index]));
    for (const group of heard.groups ?? []) this.hearGroup(group, at);
    return true;
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

/** Whether nothing has changed but the age of the same oldest task. */
function isSame(one: Group, other: Group): boolean {
  return (Object.keys(other) as (keyof Group)[]).every((key) => {
    const [a, b] = [one[key], other[key]];
    if (a === b || (key === "oldest_age_seconds" && one.oldest_task === other.oldest_task)) return true;
    return typeof a === "object" && typeof b === "object" && a !== null && b !== null && JSON.stringify(a) === JSON.stringify(b);
  });
}
