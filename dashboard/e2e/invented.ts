// An invented process on its own port. It serves the built page, and answers that a real process would take
// minutes to give.

import { createReadStream, existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { extname, join } from "node:path";
import { POLICY } from "../dev/plugin.ts";
import { Fixture } from "../dev/fixture.ts";

const DIST = join(import.meta.dirname, "../dist");
const TYPES: Record<string, string> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml" };

export class Invented {
  private constructor(
    private readonly server: Server,
    private readonly answers: Fixture,
    readonly page: string,
  ) {}

  /** `query` says what it is like: `incident=yes&tasks=20&announce=4&budget=60&groups=300&actions=no`. */
  static async start(query: string): Promise<Invented> {
    const answers = new Fixture();
    const server = createServer((request, response) => {
      response.setHeader("content-security-policy", POLICY);
      answers.handle(request, response, () => {
        const { pathname } = new URL(request.url ?? "/", "http://localhost");
        const file = join(DIST, pathname === "/" ? "index.html" : pathname);
        response.statusCode = existsSync(file) ? 200 : 404;
        response.setHeader("content-type", TYPES[extname(file)] ?? "text/plain");
        if (response.statusCode === 200) createReadStream(file).pipe(response);
        else response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const invented = new Invented(server, answers, `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/`);
    await invented.dev(`start?${query}`);
    return invented;
  }

  /** `signal?name=SIGTERM`, `announced`, `kill`, `start?…`: what happens to it. */
  async dev(command: string): Promise<void> {
    await fetch(new URL(`dev/${command}`, this.page));
  }

  async api<T>(path: string): Promise<T> {
    return (await (await fetch(new URL(`api/v1/${path}`, this.page))).json()) as T;
  }

  async close(): Promise<void> {
    this.answers.end();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
