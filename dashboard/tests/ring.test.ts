import { describe, expect, it } from "vitest";
import { Ring } from "../src/ring.ts";

describe("a ring", () => {
  it("is empty at first", () => {
    expect(new Ring(3, 5).points()).toEqual([null, null, null]);
  });

  it("keeps the newest, oldest first", () => {
    const ring = new Ring(3, 5);
    [1, 2, 3, 4].forEach((value, index) => ring.put(index * 5, value));
    expect(ring.points()).toEqual([2, 3, 4]);
    expect(ring.times()).toEqual([5, 10, 15]);
  });

  it("holds one value a slot, the last one put", () => {
    const ring = new Ring(3, 5);
    ring.put(10, 1);
    ring.put(12, 2);
    ring.put(14.9, 3);
    expect(ring.points()).toEqual([null, null, 3]);
  });

  it("leaves gaps empty, also where they are longer than itself", () => {
    const ring = new Ring(4, 1);
    ring.fill(4, [1, 2, 3, 4]);
    ring.put(6, 6);
    expect(ring.points()).toEqual([3, 4, null, 6]);
    ring.put(1_000_000_000, 7);
    expect(ring.points()).toEqual([null, null, null, 7]);
  });

  it("takes a late value into its slot and ignores what is too old", () => {
    const ring = new Ring(3, 1);
    ring.fill(10, [1, 2, 3]);
    ring.put(9, 20);
    ring.put(7, 99);
    expect(ring.points()).toEqual([1, 20, 3]);
  });

  it("takes only as much of a longer history as it holds", () => {
    const ring = new Ring(2, 1);
    ring.fill(10, [1, 2, 3, 4]);
    expect(ring.points()).toEqual([3, 4]);
  });
});
