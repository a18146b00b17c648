import { beforeEach, describe, expect, it } from "vitest";
import { answer, process, Web } from "./web.ts";

let web: Web;

function forbid(error: DOMException, name: string): void {
  const refuse = () => {
    throw error;
  };
  Object.defineProperty(globalThis, name, { configurable: true, get: refuse });
}

beforeEach(() => {
  web = new Web();
  return () => web.close();
});

describe("a browser that forbids to keep anything", () => {
  beforeEach(() => {
    for (const name of ["localStorage", "sessionStorage"]) forbid(new DOMException("", "SecurityError"), name);
    return () => {
      for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(globalThis, name, { configurable: true, value: undefined });
    };
  });

  it("shows the page all the same", async () => {
    const { inUtc } = await import("../src/parts/time.tsx");
    const { followTheme, switchTheme, theme } = await import("../src/theme.ts");
    const { kept, meet, seeNow } = await import("../src/memory.ts");
    const { watchSeat } = await import("../src/returning.ts");
    expect(inUtc.value).toBe(false);
    followTheme();
    switchTheme();
    expect(theme.value).toBe("dark");
    seeNow(process());
    meet(process({ instance: "bbbbbbbb" }));
    expect(kept.value.map(({ instance }) => instance)).toEqual(["aaaaaaaa"]);
    expect(watchSeat).toBeTypeOf("function");
  });

  it("has the token as long as the tab is open", async () => {
    const { get, locked, setToken } = await import("../src/api.ts");
    web.answer = () => new Response("", { status: 401 });
    await expect(get("summary")).rejects.toMatchObject({ status: 401 });
    expect(locked.value).toEqual({ refused: false });
    setToken("open sesame");
    web.answer = () => answer(process());
    await get("summary");
    expect(web.sent?.get("authorization")).toBe("Bearer open sesame");
  });
});

describe("what is kept", () => {
  it("is the newest also where there was no room for it", async () => {
    const { forGood } = await import("../src/storage.ts");
    forGood.set("key", "old");
    const { setItem } = localStorage;
    localStorage.setItem = () => {
      throw new DOMException("", "QuotaExceededError");
    };
    forGood.set("key", "new");
    expect(forGood.get("key")).toBe("new");
    localStorage.setItem = setItem;
    forGood.set("key", "newest");
    expect([forGood.get("key"), localStorage.getItem("key")]).toEqual(["newest", "newest"]);
    forGood.remove("key");
    expect(forGood.get("key")).toBeNull();
  });
});

describe("a token", () => {
  it("with what no request can carry is refused in words", async () => {
    const { unfit } = await import("../src/token.tsx");
    expect(unfit("open sesame!~")).toBeNull();
    for (const token of ["naïve", "пароль", "a\u200bb", "a\nb"]) expect(unfit(token)).toContain("no request can carry");
  });
});
