// A real process under headcount, started on free ports and never left behind.

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Page, Summary, Task } from "../src/wire.ts";

const EXAMPLES = join(import.meta.dirname, `../../target/${process.env["PROFILE"] ?? "debug"}/examples`);
const STARTING = 120_000;

export interface Options {
  /** `HEADCOUNT_*` without the prefix. */
  settings?: Record<string, string>;
  /** The port of the admin server; a free one if not said. */
  admin?: string;
  /** Over how many groups a crowd is spread. */
  groups?: number;
}

export class Process {
  /** The dashboard's address, with the slash. */
  readonly page: string;
  /** The service's own address; for the quickstart. */
  readonly service: string | null;
  private output = "";
  private readonly end: Promise<number | string>;

  private constructor(
    private readonly child: ChildProcess,
    started: string,
  ) {
    this.page = /Dashboard at (\S+)/.exec(started)?.[1] ?? "";
    this.service = /Service at (\S+)/.exec(started)?.[1] ?? null;
    child.stdout?.on("data", (text: Buffer) => (this.output += text.toString()));
    child.stderr?.on("data", (text: Buffer) => (this.output += text.toString()));
    // Not at its exit: what it wrote last may still be in the pipe.
    this.end = new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown")));
  }

  static quickstart(flags: string[], options: Options = {}): Promise<Process> {
    return Process.start("quickstart", ["--listen", "127.0.0.1:0", "--admin", options.admin ?? "127.0.0.1:0", ...flags], options);
  }

  static crowd(size: number, options: Options = {}): Promise<Process> {
    return Process.start("crowd", [String(size), String(options.groups ?? 8)], { ...options, settings: { ADMIN: options.admin ?? "127.0.0.1:0", ...options.settings } });
  }

  static service(flags: string[] = [], options: Options = {}): Promise<Process> {
    return Process.start("service", flags, { ...options, settings: { ADMIN: options.admin ?? "127.0.0.1:0", ...options.settings } });
  }

  /** Something of each kind that goes wrong. */
  static incident(options: Options = {}): Promise<Process> {
    return Process.start("incident", [], { ...options, settings: { ADMIN: options.admin ?? "127.0.0.1:0", ...options.settings } });
  }

  private static async start(example: string, flags: string[], { settings = {} }: Options): Promise<Process> {
    const named = Object.entries(settings).map(([name, value]) => [`HEADCOUNT_${name}`, value]);
    // A task that blocks its thread leaves others, also where there is one core.
    const env = { ...process.env, RUST_LOG: "warn", RUST_BACKTRACE: "0", TOKIO_WORKER_THREADS: "4", ...Object.fromEntries(named) };
    const child = spawn(join(EXAMPLES, example), flags, { env, stdio: ["ignore", "pipe", "pipe"] });
    return new Process(child, await listening(child));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get port(): string {
    return new URL(this.page).port;
  }

  get said(): string {
    return this.output;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Resolves with the exit code, or the signal that ended it, when all that it wrote has been read. */
  ended(): Promise<number | string> {
    return this.end;
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended();
  }

  /** Calls the service, which leaves tasks behind. */
  async call(method: "GET" | "POST", path: string, times = 1): Promise<void> {
    const calls = Array.from({ length: times }, () => fetch(new URL(path, this.service ?? ""), { method }));
    await Promise.all(calls);
  }

  /** Cancels what lives, which ends a drain. */
  async cancelAll(): Promise<void> {
    const { instance } = await this.api<Summary>("summary");
    const { items } = await this.api<Page<Task>>("tasks?limit=500");
    const asked = items.map(({ id }) => fetch(new URL(`api/v1/tasks/${id}/cancel`, this.page), { method: "POST", headers: { "if-match": `"${instance}"` } }));
    for (const { status } of await Promise.all(asked)) if (status !== 202) throw new Error(`a cancellation was answered with ${status}`);
  }

  async api<T>(path: string): Promise<T> {
    return (await (await fetch(new URL(`api/v1/${path}`, this.page))).json()) as T;
  }
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`it did not start: ${output}`));
    }, STARTING);
    const hear = (text: Buffer) => {
      output += text.toString();
      if (!/Dashboard at \S+\s/.test(output)) return;
      clearTimeout(late);
      resolve(output);
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", (text: Buffer) => (output += text.toString()));
    child.once("exit", (code) => reject(new Error(`it ended with ${code}: ${output}`)));
  });
}
