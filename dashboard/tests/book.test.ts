import { describe, expect, it } from "vitest";
import { Book, oldestAge } from "../src/book.ts";
import { second } from "../src/store.ts";
import { filterOf } from "../src/views/filters.ts";
import { sortGroups } from "../src/views/sorting.ts";
import type { Group, Summary } from "../src/wire.ts";
import { group, process } from "./web.ts";

const ids = (groups: Group[]) => groups.map(({ id }) => id);

describe("a group of which nothing is heard but that time passes", () => {
  const aged = (): Book => {
    const book = new Book("aaaaaaaa");
    const stuck = group(1, { oldest_task: 10, oldest_age_seconds: 100 });
    book.hear(process({ groups: [stuck, group(2, { oldest_task: 20, oldest_age_seconds: 90 })] }), 0);
    // The second one's oldest ends, and the next oldest is 150 s old after 200 s.
    book.hear({ delta: true, groups: [{ id: 2, oldest_task: 21, oldest_age_seconds: 150 }] as Group[] }, 200_000);
    second.value = 210_000;
    return book;
  };

  it("is sorted by its age as it is shown", () => {
    expect(ids(sortGroups(aged().list(), "oldest", "desc"))).toEqual([1, 2]);
  });

  it("is found by its age as it is shown", () => {
    const filter = filterOf("age:>5m");
    if ("problem" in filter) throw new Error(filter.problem);
    expect(ids(aged().list().filter(filter.test))).toEqual([1]);
    expect(filter.ages).toBe(true);
    expect(filterOf("live:>1")).toMatchObject({ ages: false });
  });

  it("has the same age where something else of it changes", () => {
    const book = aged();
    book.hear({ delta: true, groups: [{ id: 1, live: 9 }] as Group[] }, 205_000);
    const [stuck] = book.list();
    expect(stuck).toMatchObject({ id: 1, live: 9 });
    expect(oldestAge(stuck!)).toBe(310);
  });
});

describe("a whole answer between events", () => {
  const whole = (groups: Group[], rest: Partial<Summary> = {}) => process({ groups, groups_total: 2, ...rest });
  const changes = (groups: object[], rest: object = {}) => ({ delta: true, groups: groups as Group[], ...rest });

  it("overwrites nothing that is newer", () => {
    const book = new Book("aaaaaaaa");
    book.hear(whole([group(1, { live: 1 })], { live: 3 }), 0);
    book.hear(changes([{ id: 1, live: 5 }], { live: 9 }), 1_000);
    // Read before that event, and arrived after it.
    book.fill(whole([group(1, { live: 1 }), group(2)], { live: 3 }), 1_100, book.wholes);
    expect(book.summary?.live).toBe(9);
    expect(book.list().map(({ id, live }) => [id, live])).toEqual([[1, 5], [2, 1]]);
    expect(book.missing).toBe(0);
  });

  it("adds the groups that no event had room for, with what was heard of them", () => {
    const book = new Book("aaaaaaaa");
    book.hear(whole([group(1)]), 0);
    expect([book.missing, book.lacks]).toEqual([1, true]);
    book.hear(changes([{ id: 2, live: 7 }]), 1_000);
    book.fill(whole([group(1), group(2, { live: 4, spawned: 8 })]), 1_100, book.wholes);
    expect(book.list().find(({ id }) => id === 2)).toMatchObject({ live: 7, spawned: 8, name: "group-2" });
    expect([book.missing, book.lacks]).toEqual([0, false]);
  });

  it("has the age of the oldest task as it was read", () => {
    const book = new Book("aaaaaaaa");
    book.hear(whole([group(1)]), 0);
    book.hear(changes([{ id: 2, oldest_task: 5, oldest_age_seconds: 10 }]), 1_000);
    book.fill(whole([group(1), group(2, { oldest_task: 5, oldest_age_seconds: 14 })]), 5_000, book.wholes);
    second.value = 5_000;
    expect(oldestAge(book.list().find(({ id }) => id === 2)!)).toBe(14);
  });

  it("brings groups up to date that a later whole event had no room for", () => {
    const book = new Book("aaaaaaaa");
    book.hear(whole([group(1), group(2, { live: 1 })]), 0);
    // The connection broke, and what changed meanwhile is in no event again.
    book.hear(whole([group(1)]), 9_000);
    expect([book.missing, book.lacks]).toEqual([0, true]);
    book.fill(whole([group(1), group(2, { live: 6 })]), 9_100, book.wholes);
    expect(book.list().find(({ id }) => id === 2)?.live).toBe(6);
    expect(book.lacks).toBe(false);
  });

  it("that was asked for before a whole event is read again", () => {
    const book = new Book("aaaaaaaa");
    const { wholes } = book;
    book.hear(whole([group(1)]), 1_000);
    book.fill(whole([group(1), group(2, { live: 4 })]), 1_100, wholes);
    expect(book.list()).toHaveLength(2);
    expect(book.lacks).toBe(true);
    book.fill(whole([group(1), group(2, { live: 6 })]), 2_100, book.wholes);
    expect(book.list().find(({ id }) => id === 2)?.live).toBe(6);
    expect(book.lacks).toBe(false);
  });
});
