// Server-sent events read by `fetch`, since EventSource cannot send headers.

export interface StreamEvent {
  event: string;
  data: string;
}

/** Takes text as it arrives, cut anywhere, and gives the events that are complete. */
export class EventParser {
  private rest = "";
  private event = "";
  private data: string[] = [];

  push(chunk: string): StreamEvent[] {
    const lines = (this.rest + chunk).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    return lines.map((line) => this.line(line)).filter((event) => event !== null);
  }

  private line(line: string): StreamEvent | null {
    if (line === "") return this.dispatch();
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.event = value;
    if (field === "data") this.data.push(value);
    return null;
  }

  private dispatch(): StreamEvent | null {
    const event = { event: this.event === "" ? "message" : this.event, data: this.data.join("\n") };
    const complete = this.data.length > 0;
    this.event = "";
    this.data = [];
    return complete ? event : null;
  }
}

/** Reads the body to its end. Throws what the body throws; returns when the server closes. */
export async function readEvents(
  body: ReadableStream<Uint8Array>,
  onEvent: (event: StreamEvent) => void,
): Promise<void> {
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.push(decoder.decode(value, { stream: true })).forEach(onEvent);
  }
}
