import { describe, expect, it } from "vitest";
import { EventParser, readEvents, type StreamEvent } from "../src/stream.ts";

const TEXT = ': welcome\r\nevent: hello\r\ndata: {"pid":1}\r\n\r\ndata: a\ndata:b\n\nid: 4\nretry: 10\nevent: report\ndata: ünï\n\n';
const EVENTS: StreamEvent[] = [
  { event: "hello", data: '{"pid":1}' },
  { event: "message", data: "a\nb" },
  { event: "report", data: "ünï" },
];

function bodyOf(chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

describe("the event stream", () => {
  it("is read whole", () => {
    expect(new EventParser().push(TEXT)).toEqual(EVENTS);
  });

  it("is the same wherever it is cut, within letters and line ends too", async () => {
    const bytes = new TextEncoder().encode(TEXT);
    for (let at = 0; at <= bytes.length; at += 1) {
      const heard: StreamEvent[] = [];
      await readEvents(bodyOf([bytes.slice(0, at), bytes.slice(at)]), (event) => heard.push(event));
      expect(heard).toEqual(EVENTS);
    }
  });

  it("gives nothing for an event that was cut off", () => {
    expect(new EventParser().push("event: summary\ndata: {")).toEqual([]);
  });

  it("does not take an event without data for one", () => {
    expect(new EventParser().push("event: summary\n\n: ping\n\n")).toEqual([]);
  });

  it("throws what the connection throws", async () => {
    const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error("reset")) });
    await expect(readEvents(body, () => undefined)).rejects.toThrow("reset");
  });
});
