import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Summary } from "../src/wire.ts";

class Storage extends Map<string, string> {
  getItem = (key: string) => this.get(key) ?? null;
  setItem = (key: string, value: string) => void this.set(key, value);
  removeItem = (key: string) => void this.delete(key);
}

function process(instance: string): Summary {
  return { instance, pid: 7, service: "shop-api", started_at: `2026-01-01T00:00:0${instance}Z`, live: 3, shutdown: null } as Summary;
}

/** The module as a page that has just been opened has it. */
async function opened() {
  vi.resetModules();
  return import("../src/memory.ts");
}

describe("a process that ended without a word", () => {
  beforeEach(() => {
    vi.stubGlobal("document", { baseURI: "http://127.0.0.1/" });
    vi.stubGlobal("localStorage", new Storage());
    return () => vi.unstubAllGlobals();
  });

  it("is kept as it was last seen once another answers", async () => {
    const before = await opened();
    before.seeNow(process("1"));
    const after = await opened();
    after.meet(process("2"));
    expect(after.kept.value.map(({ instance, live, next }) => [instance, live, next?.pid])).toEqual([["1", 3, 7]]);
    expect((await opened()).kept.value).toHaveLength(1);
  });

  it("is kept also where the page is left before it has drawn the other", async () => {
    const before = await opened();
    before.seeNow(process("1"));
    before.seeNow(process("2"));
    const after = await opened();
    after.meet(process("2"));
    expect(after.kept.value.map(({ instance }) => instance)).toEqual(["1"]);
  });

  it("is none of the stops of another service, and a process that lives has not crashed", async () => {
    const { keptOf, meet, seeNow, stopsOf } = await opened();
    const mail = (instance: string) => ({ ...process(instance), service: "mail" });
    seeNow(process("1"));
    meet(mail("2"));
    expect((await opened()).kept.value).toEqual([]);
    const instances = (now: Summary) => stopsOf([keptOf(mail("3"), null), keptOf(process("1"), null), keptOf(process("0"), null)], now).map(({ instance }) => instance);
    expect(instances(process("1"))).toEqual(["0"]);
    expect(instances(mail("4"))).toEqual(["3"]);
  });
});
