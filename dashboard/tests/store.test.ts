import { describe, expect, it } from "vitest";
import { permits } from "../src/store.ts";
import { process } from "./web.ts";

describe("what is permitted", () => {
  const permitted = (permissions: string[] | undefined, actions: boolean) => {
    const of = permissions === undefined ? process({ actions }) : process({ permissions, actions });
    return [permits(of, "cancel"), permits(of, "shutdown")];
  };

  it("is each action by its name", () => {
    expect(permitted(["shutdown"], false)).toEqual([false, true]);
    expect(permitted(["cancel", "run"], false)).toEqual([true, false]);
    expect(permitted(["cancel", "shutdown"], true)).toEqual([true, true]);
    expect(permitted([], false)).toEqual([false, false]);
  });

  it("is both or none by an older server, and none before the first summary", () => {
    expect(permitted(undefined, true)).toEqual([true, true]);
    expect(permitted(undefined, false)).toEqual([false, false]);
    expect(permits(null, "cancel")).toBe(false);
  });
});
