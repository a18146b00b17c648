import { describe, expect, it } from "vitest";
import { HOME, href, link, parse, type Place } from "../src/place.ts";

describe("the place in the address", () => {
  it("is empty at home", () => {
    expect(href(HOME)).toBe("./");
    expect(parse("")).toEqual(HOME);
  });

  it("holds only what differs", () => {
    expect(link({ view: "tasks", state: "idle" })).toBe("?view=tasks&state=idle");
  });

  it("comes back as it went, hostile text included", () => {
    const place: Place = {
      view: "finished",
      in: "64a4b1",
      as: null,
      q: "<a href='x'> & 100 % \u202e ?#",
      sort: "age",
      order: "asc",
      state: "blocked",
      kind: "local",
      outcome: "panic",
      group: 12,
      task: null,
      open: 9_007_199_254_740_991,
      cursor: "eyJh+/=",
      from: 51,
    };
    expect(parse(href(place))).toEqual(place);
  });

  it("takes nothing that it does not know", () => {
    expect(parse("?view=admin&state=dead&kind=x&order=up&group=-1&open=1e9&from=")).toEqual(HOME);
  });

  it("names the process: with a task's id, else by itself", () => {
    expect(link({ view: "task", task: 3, in: "64a4" })).toBe("?view=task&task=3@64a4");
    expect(parse("?view=task&task=3@64a4")).toMatchObject({ view: "task", task: 3, in: "64a4" });
    expect(parse("?view=task&task=3%4064a4")).toMatchObject({ task: 3, in: "64a4" });
    expect(link({ view: "tasks", in: "64a4" })).toBe("?view=tasks&in=64a4");
    expect(parse("?view=end&in=64a4")).toMatchObject({ view: "end", in: "64a4" });
    expect(parse("?view=end").view).toBe("lifetime");
    expect(parse("?view=tasks&in=../../x").in).toBeNull();
  });

  it("shows the list where the task is missing", () => {
    expect(parse("?view=task").view).toBe("tasks");
    expect(parse("?view=task&task=17")).toMatchObject({ view: "task", task: 17 });
  });
});
