import { beforeEach, describe, expect, it } from "vitest";
import { answer, Events, process, stop, Web } from "./web.ts";

let web: Web;

beforeEach(() => {
  web = new Web();
  return () => web.close();
});

async function modules() {
  return { ...(await import("../src/store.ts")), ...(await import("../src/views/end.tsx")), place: (await import("../src/place.ts")).place };
}

describe("the address of an end", () => {
  it("is known of the process that was killed in its stop, as long as nothing else answers", async () => {
    const { link, ofThisProcess, summary } = await modules();
    summary.value = process({ stage: "draining", shutdown: stop({ pending: 2 }) });
    expect(ofThisProcess("aaaaaa")).toBeUndefined();
    link.value = { state: "lost", seen: 0, failures: 1, silent: false };
    expect(ofThisProcess("aaaaaa")).toMatchObject({ instance: "aaaaaaaa", report: null, shutdown: { pending: 2 } });
    expect(ofThisProcess("bbbbbb")).toBeUndefined();
  });

  it("is one of a process that has ended once it does not answer", async () => {
    const { link, footOf, summary } = await modules();
    const { here } = await import("../src/place.ts");
    const { keptOf } = await import("../src/memory.ts");
    summary.value = process({ stage: "done", shutdown: stop() });
    here.value = "aaaaaa";
    link.value = { state: "live", seen: 0, failures: 0, silent: false };
    const of = keptOf(summary.value, null);
    expect(footOf(of)).toBe("The process that answers.");
    link.value = { state: "lost", seen: 0, failures: 1, silent: false };
    expect(footOf(of)).toBe("A process that has ended.");
    expect(footOf({ ...of, instance: "bbbbbbbb" })).toBe("A process that has ended.");
  });
});

describe("the place after a stop", () => {
  it("is where the page begins, where it was opened in the stop", async () => {
    web.close();
    web = new Web("?view=shutdown&in=aaaaaa");
    const { place, summary } = await modules();
    const { follow } = await import("../src/place.ts");
    const { start } = await import("../src/live.ts");
    let events = new Events();
    const stopping = process({ stage: "draining", shutdown: stop() });
    web.answer = (path) => (path.startsWith("events") ? events.response : answer(stopping));
    follow();
    start();
    events.send("summary", stopping);
    await web.pass(1);
    expect(place.value.view).toBe("shutdown");
    const before = events;
    events = new Events();
    before.abort(new TypeError("network error"));
    await web.pass(1);
    events.send("summary", process({ instance: "bbbbbbbb", pid: 8 }));
    await web.pass(1);
    expect(summary.value?.pid).toBe(8);
    expect(place.value.view).toBe("groups");
  });
});
