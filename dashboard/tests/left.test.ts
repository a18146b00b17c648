import { beforeEach, describe, expect, it } from "vitest";
import type { Found } from "../src/parts/left.tsx";
import { answer, refusal, Web } from "./web.ts";

let web: Web;

beforeEach(() => {
  web = new Web();
  return () => web.close();
});

async function found(id: number, instance = "aaaaaaaa"): Promise<Found | null> {
  const { askFor } = await import("../src/parts/left.tsx");
  let last: Found | null = null;
  askFor({ id, instance, tell: (one) => (last = one) });
  await web.pass(0.1);
  return last;
}

describe("a task that is not listed any more", () => {
  it("has ended only where the process says so", async () => {
    web.answer = (path) => answer(path === "tasks/17" ? { outcome: "error", duration_seconds: 2 } : { outcome: null, duration_seconds: null });
    expect(await found(17)).toEqual({ is: "ended", outcome: "error", seconds: 2 });
    expect(await found(18)).toEqual({ is: "alive" });
  });

  it("is unknown where the history does not hold it, and where another process answers", async () => {
    web.answer = () => refusal(404);
    expect(await found(17)).toEqual({ is: "unknown" });
    web.answer = () => answer({ outcome: "ok", duration_seconds: 1 }, "bbbbbbbb");
    expect(await found(17)).toEqual({ is: "unknown" });
  });

  it("stays as it is where the answer says nothing of it", async () => {
    web.answer = () => refusal(502);
    expect(await found(17)).toBeNull();
  });
});
