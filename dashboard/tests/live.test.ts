import { beforeEach, describe, expect, it } from "vitest";
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
