import { beforeEach, describe, expect, it } from "vitest";
import type { Outcome } from "../src/wire.ts";
import { answer, Events, group, process, refusal, silence, stop, Web } from "./web.ts";

let web: Web;

beforeEach(() => {
  web = new Web();
  return () => web.close();
});

/** The page as it has just been opened. */
async function opened() {
  const { follow } = await import("../src/place.ts");
  const { start } = await import("../src/live.ts");
  const { watchVisibility } = await import("../src/frame.ts");
  const store = await import("../src/store.ts");
  follow();
  start();
  watchVisibility();
  return store;
}

/** As the page has it, which is another module in each test. */
async function effectOf() {
  return (await import("@preact/signals")).effect;
}

describe("a page whose process has gone", () => {
  it("asks quietly and says so where a proxy answers 503 in its place", async () => {
    const events = new Events();
    web.answer = (path) => (path.startsWith("events") ? events.response : answer(process()));
    const { link, gone } = await opened();
    events.send("summary", process());
    await web.pass(1);
    expect(link.value.state).toBe("live");

    web.answer = () => refusal(503);
    const before = web.asked.length;
    events.abort(new TypeError("network error"));
    await web.pass(20);
    expect(web.asked.length - before).toBeLessThan(40);
    expect(gone.value).toBe(true);
  });

  it("says so where a proxy answers with a page of its own", async () => {
    const events = new Events();
    web.answer = (path) => (path.startsWith("events") ? events.response : answer(process()));
    const { gone } = await opened();
    events.send("summary", process());
    await web.pass(1);

    web.answer = () => new Response("<h1>Sign in</h1>", { headers: { "content-type": "text/html" } });
    const before = web.asked.length;
    events.close();
    await web.pass(20);
    expect(web.asked.length - before).toBeLessThan(20);
    expect(gone.value).toBe(true);
  });

  it("polls on where there are too many pages, and notices the end", async () => {
    web.answer = (path) => (path.startsWith("events") ? refusal(503) : answer(process()));
    const { link, gone } = await opened();
    await web.pass(60);
    expect(link.value.state).toBe("polling");
    expect(web.count("summary")).toBeGreaterThan(25);
    expect(web.count("summary")).toBeLessThan(35);
    web.answer = () => refusal(503);
    await web.pass(20);
    expect(gone.value).toBe(true);
  });
});

describe("an answer that never comes", () => {
  it("is missed while the page polls", async () => {
    web.answer = (path) => (path.startsWith("events") ? refusal(503) : answer(process()));
    const { link } = await opened();
    await web.pass(5);
    expect(link.value.state).toBe("polling");
    web.answer = silence;
    await web.pass(20);
    expect(link.value.state).toBe("lost");
  });

  it("does not end that missing groups are asked for", async () => {
    const events = new Events();
    const heard = process({ groups_total: 2, groups: [group(1)] });
    web.answer = (path) => (path.startsWith("events") ? events.response : silence());
    const { groups } = await opened();
    events.send("summary", heard);
    await web.pass(1);
    web.answer = () => answer(process({ groups_total: 2, groups: [group(1), group(2)] }));
    for (let second = 0; second < 20; second += 1) {
      events.send("summary", { delta: true, groups: [] });
      await web.pass(1);
    }
    expect(groups.value.map(({ id }) => id)).toEqual([1, 2]);
  });
});

describe("a stream that ends as soon as it has begun", () => {
  it("is asked for every 2 s", async () => {
    web.answer = (path) => {
      if (!path.startsWith("events")) return answer(process());
      const events = new Events();
      events.send("summary", process());
      events.close();
      return events.response;
    };
    await opened();
    await web.pass(20);
    expect(web.count("events")).toBeLessThan(12);
    expect(web.count("events")).toBeGreaterThan(5);
  });
});

describe("silence in a stop", () => {
  const stopping = process({ stage: "draining", shutdown: stop() });

  it("is the end only after a while", async () => {
    const events = new Events();
    web.answer = (path) => (path.startsWith("events") ? events.response : answer(stopping));
    const { gone, link } = await opened();
    events.send("summary", stopping);
    await web.pass(1);
    web.answer = silence;
    await web.pass(5);
    expect(link.value.state).toBe("lost");
    expect(gone.value).toBe(false);
    await web.pass(5);
    expect(gone.value).toBe(true);
  });

  it("is another thing than a refusal, which is the end at once", async () => {
    const events = new Events();
    web.answer = (path) => (path.startsWith("events") ? events.response : answer(stopping));
    const { gone } = await opened();
    events.send("summary", stopping);
    await web.pass(1);
    web.answer = () => Promise.reject(new TypeError("refused"));
    events.abort(new TypeError("network error"));
    await web.pass(1);
    expect(gone.value).toBe(true);
  });
});

describe("a summary that was read before an event and arrives after it", () => {
  it("takes nothing back", async () => {
    const events = new Events();
    let arrive = () => undefined as void;
    web.answer = (path) => {
      if (path.startsWith("events")) return events.response;
      return new Promise((resolve) => (arrive = () => resolve(answer(process({ live: 3, groups_total: 1, groups: [group(1, { live: 3 })] })))));
    };
    const { groups, summary } = await opened();
    events.send("summary", process({ live: 3, groups_total: 1, groups: [group(1, { live: 3 })] }));
    events.send("summary", { delta: true, live: 4, groups: [{ id: 1, live: 4 }] });
    await web.pass(0.5);
    arrive();
    await web.pass(0.5);
    expect([summary.value?.live, groups.value[0]?.live]).toEqual([4, 4]);
  });
});

describe("a hidden tab", () => {
  const ended = (id: number, outcome: Outcome) => ({ id, name: `task-${id}`, outcome, duration_seconds: 1 });

  it("keeps the failures of a stop, however many tasks end after them", async () => {
    const events = new Events();
    web.answer = (path) => (path.startsWith("events") ? events.response : answer(process()));
    const { failedInStop } = await opened();
    events.send("summary", process());
    await web.pass(1);
    web.show(true);
    for (let second = 0; second < 4; second += 1) {
      events.send("summary", { delta: true, shutdown: stop({ recently_ended: [ended(second * 2, second === 0 ? "panic" : "ok"), ended(second * 2 + 1, "ok")] }) });
      await web.pass(1);
    }
    web.show(false);
    await web.pass(1);
    expect(failedInStop.value.map(({ id, outcome }) => [id, outcome])).toEqual([[0, "panic"]]);
  });

  it("does not grow with each process that comes and crashes, and keeps how each of them ended", async () => {
    let events = new Events();
    web.answer = (path) => (path.startsWith("events") ? events.response : answer(process()));
    const { summary } = await opened();
    const { kept } = await import("../src/memory.ts");
    events.send("summary", process());
    await web.pass(1);
    web.show(true);
    for (let pid = 10; pid < 15; pid += 1) {
      const before = events;
      events = new Events();
      before.abort(new TypeError("network error"));
      await web.pass(2);
      events.send("summary", process({ instance: `crashed-${pid}`, pid }));
      if (pid === 12) events.send("report", { instance: "crashed-12", started_at: "2026-01-01T00:02:00Z", duration_seconds: 1, abandoned: [], detached: [] });
      await web.pass(1);
    }
    expect(kept.value.map(({ pid, report, next }) => [pid, report !== null, next?.pid])).toEqual(
      expect.arrayContaining([[7, false, 10], [10, false, 11], [11, false, 12], [12, true, 13], [13, false, 14]]),
    );
    const drawn: (number | undefined)[] = [];
    const effect = await effectOf();
    const stopWatching = effect(() => void drawn.push(summary.value?.pid));
    web.show(false);
    await web.pass(1);
    stopWatching();
    expect(drawn).toEqual([7, 13, 14]);
    expect(kept.value.map(({ pid, next }) => [pid, next?.pid])).toEqual(expect.arrayContaining([[7, 10], [13, 14]]));
  });
});

describe("another service at the same address", () => {
  it("does not make the one before it a process that crashed", async () => {
    let events = new Events();
    web.answer = (path) => (path.startsWith("events") ? events.response : answer(process()));
    const { summary } = await opened();
    const { kept } = await import("../src/memory.ts");
    events.send("summary", process());
    await web.pass(6);
    const before = events;
    events = new Events();
    before.abort(new TypeError("network error"));
    await web.pass(1);
    events.send("summary", process({ instance: "bbbbbbbb", service: "mail" }));
    await web.pass(1);
    expect(summary.value?.service).toBe("mail");
    expect(kept.value).toEqual([]);
  });
});
