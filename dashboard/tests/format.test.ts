import { describe, expect, it } from "vitest";
import { age, count, countdown, duration, plain, plainLines, plural, rate, setting, share, short, text } from "../src/format.ts";

describe("durations", () => {
  it.each([
    [null, "–"],
    [0, "0 s"],
    [0.000_04, "40 µs"],
    [0.0012, "1.2 ms"],
    [0.04, "40 ms"],
    [0.9994, "999 ms"],
    [0.9996, "1.0 s"],
    [1.24, "1.2 s"],
    [9.96, "10 s"],
    [48.2, "48 s"],
    [59.6, "1 m"],
    [61, "1 m 1 s"],
    [8_040, "2 h 14 m"],
    [273_900, "3 d 4 h"],
    [-1, "0 s"],
    [Number.NaN, "–"],
  ])("%s is %s", (seconds, expected) => expect(text(duration(seconds))).toBe(expected));

  it("ages grow in whole seconds", () => {
    expect(text(age(3.99))).toBe("3 s");
    expect(text(age(59.99))).toBe("59 s");
    expect(text(age(60))).toBe("1 m");
    expect(text(age(0.25))).toBe("250 ms");
  });

  it("countdowns keep their tenths and never go below nothing", () => {
    expect(text(countdown(20.94))).toBe("20.9 s");
    expect(text(countdown(3))).toBe("3.0 s");
    expect(text(countdown(-4))).toBe("0.0 s");
    expect(text(countdown(95))).toBe("1 m 35 s");
  });

  it("settings are as exact as they were given", () => {
    expect(setting(25)).toBe("25 s");
    expect(setting(1.5)).toBe("1.5 s");
    expect(setting(0.25)).toBe("250 ms");
    expect(setting(90)).toBe("1 m 30 s");
    expect(setting(0)).toBe("0 s");
    expect(setting(null)).toBe("none");
  });
});

describe("figures", () => {
  it("groups digits and shortens what is large", () => {
    expect(count(1_284)).toBe("1,284");
    expect(text([short(99_999)])).toBe("99,999");
    expect(text([short(123_456)])).toBe("123 k");
    expect(text([short(999_600)])).toBe("1 M");
    expect(text([short(4_520_000)])).toBe("4.52 M");
  });

  it("gives rates the digits that they bear", () => {
    expect([null, 0, 0.001, 0.04, 3.14, 412.3, 4_123, 47_870, 250_000].map(rate)).toEqual(["–", "0", "<0.01", "0.04", "3.1", "412", "4,123", "47.9k", "250k"]);
  });

  it("gives shares in percent", () => {
    expect([null, 0, 0.0001, 0.001, 0.02, 0.717, 1].map((value) => text([share(value)]))).toEqual(["–", "0 %", "<0.1 %", "0.1 %", "2 %", "72 %", "100 %"]);
  });

  it("counts things", () => {
    expect(plural(1, "task")).toBe("1 task");
    expect(plural(1_284, "task")).toBe("1,284 tasks");
  });
});

describe("text from outside", () => {
  it("shows what hides or reorders", () => {
    expect(plain("a\u202eb\u0000c\u200dd\ne")).toBe("a\\u{202e}b\\u{0}c\\u{200d}d⏎e");
  });

  it("leaves the rest alone, also right-to-left letters", () => {
    expect(plain("<script>alert('שלום')</script> 😀")).toBe("<script>alert('שלום')</script> 😀");
  });

  it("keeps lines where lines are wanted", () => {
    expect(plainLines("one\n\ttwo\r\n")).toBe("one\n⇥two\\u{d}\n");
  });
});
