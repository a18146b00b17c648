import { describe, expect, it } from "vitest";
import { Book, oldestAge } from "../src/book.ts";
import { second } from "../src/store.ts";
import { filterOf } from "../src/views/filters.ts";
import { sortGroups } from "../src/views/sorting.ts";
import type { Group } from "../src/wire.ts";
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
