import { beforeEach, describe, expect, it } from "vitest";
import type { Asked } from "../src/parts/asking.ts";
import { answer, refusal, silence, Web } from "./web.ts";

let web: Web;

beforeEach(() => {
  web = new Web();
  return () => web.close();
});

/** A list as a view holds it. */
async function asked(path = "tasks?limit=50") {
  const { keepAsking, NOTHING } = await import("../src/parts/asking.ts");
  const state: { now: Asked<string[]>; stop: () => void } = { now: NOTHING, stop: () => undefined };
  state.stop = keepAsking<string[]>(path, 1, (change) => (state.now = change(state.now)));
  await web.pass(0.1);
  return state;
}

describe("what is asked again and again", () => {
  it("goes on a second after a question that nobody answered", async () => {
    web.answer = () => answer(["one"]);
    const list = await asked();
    expect(list.now.answer?.value).toEqual(["one"]);
    web.answer = silence;
    await web.pass(2);
    web.answer = () => answer(["two"]);
    await web.pass(17);
    expect(list.now.answer?.value).toEqual(["two"]);
  });

  it("keeps its answer through a refusal that passes", async () => {
    web.answer = () => answer(["one"]);
    const list = await asked();
    for (const status of [502, 503, 429]) {
      web.answer = () => refusal(status);
      await web.pass(1.1);
      expect(list.now).toMatchObject({ answer: { value: ["one"] }, problem: null });
    }
    web.answer = () => answer(["two"]);
    await web.pass(1.1);
    expect(list.now.answer?.value).toEqual(["two"]);
  });

  it("shows a refusal that stays, and one before any answer", async () => {
    web.answer = () => refusal(503);
    const list = await asked();
    expect(list.now.problem?.status).toBe(503);
    web.answer = () => answer(["one"]);
    await web.pass(1.1);
    expect(list.now.problem).toBeNull();
    web.answer = () => refusal(400);
    await web.pass(1.1);
    expect(list.now).toMatchObject({ answer: null, problem: { status: 400 } });
    const before = web.asked.length;
    await web.pass(20);
    expect(web.asked.length).toBe(before);
  });

  it("takes a tenth of the observer's time, and comes again within ten seconds", async () => {
    const slow = (seconds: number) => () => new Promise<Response>((resolve) => setTimeout(() => resolve(answer([])), seconds * 1_000));
    web.answer = slow(0.5);
    await asked();
    await web.pass(50);
    expect(web.asked.length).toBeLessThan(13);
    expect(web.asked.length).toBeGreaterThan(8);
    web.answer = slow(10);
    await web.pass(30);
    const before = web.asked.length;
    await web.pass(80);
    expect(web.asked.length - before).toBeGreaterThanOrEqual(3);
  });

  it("keeps what is final when the server has dropped it", async () => {
    const { keepAsking, NOTHING } = await import("../src/parts/asking.ts");
    let now: Asked<string> = NOTHING;
    web.answer = () => answer("alive");
    const stop = keepAsking<string>("tasks/17", 1, (change) => (now = change(now)), (value) => value === "ended");
    await web.pass(1);
    web.answer = () => answer("ended");
    await web.pass(2);
    web.answer = () => refusal(404);
    await web.pass(2);
    expect(now).toMatchObject({ answer: { value: "ended" }, problem: { status: 404 } });
    stop();
  });

  it("loses what is not final when the server has dropped it", async () => {
    web.answer = () => answer(["one"]);
    const list = await asked();
    web.answer = () => refusal(404);
    await web.pass(2);
    expect(list.now).toMatchObject({ answer: null, problem: { status: 404 } });
  });

  it("ends when it is stopped", async () => {
    web.answer = () => answer(["one"]);
    const list = await asked();
    list.stop();
    await web.pass(20);
    expect(web.asked).toHaveLength(1);
  });
});
