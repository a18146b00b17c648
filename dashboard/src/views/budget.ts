import type { Lifetime } from "../wire.ts";

export interface Span {
  name: "announce" | "drain" | "abort" | "margin";
  from: number;
  to: number;
}

export interface Moment {
  name: "signal" | "drain" | "deadline" | "aborted" | "exit" | "platform";
  at: number;
  text: string;
  /** The setting that says when; null where none says it alone. */
  setting: string | null;
  /** The span that begins here. */
  begins: Span["name"] | null;
}

export interface Budget {
  spans: Span[];
  moments: Moment[];
  /** Seconds that the whole picture spans. */
  total: number;
}

/** What happens when, at the latest, after a shutdown has begun. */
export function budgetOf(of: Lifetime): Budget {
  const deadline = of.drain_timeout_seconds;
  const announce = deadline === null ? of.announce_delay_seconds : Math.min(of.announce_delay_seconds, deadline);
  const aborting = of.hook_timeout_seconds + of.abort_grace_seconds;
  const open = Math.max(announce * 2, of.exit_after_seconds ?? 0, of.platform_grace_seconds ?? 0, 30);
  const drainEnd = deadline ?? of.exit_after_seconds ?? open;
  const abortEnd = drainEnd + (deadline === null ? 0 : aborting);
  const exit = of.exit_after_seconds;
  const total = Math.max(abortEnd, exit ?? 0, of.platform_grace_seconds ?? 0) * 1.02;
  const spans: Span[] = [
    { name: "announce", from: 0, to: announce },
    { name: "drain", from: announce, to: drainEnd },
    { name: "abort", from: drainEnd, to: abortEnd },
    { name: "margin", from: abortEnd, to: Math.max(abortEnd, exit ?? abortEnd) },
  ];
  return { spans: spans.filter((span) => span.from < span.to), moments: momentsOf(of, announce, abortEnd), total };
}

function momentsOf(of: Lifetime, announce: number, abortEnd: number): Moment[] {
  const moments: Moment[] = [];
  const add = (name: Moment["name"], at: number | null, begins: Moment["begins"], text: string, setting: string | null = null) => {
    if (at !== null) moments.push({ name, at, begins, text, setting });
  };
  const deadline = of.drain_timeout_seconds;
  if (announce > 0) {
    add("signal", 0, "announce", "A signal: no longer ready, still serving.");
    add("drain", announce, "drain", "Tasks are notified and waited for.", deadline === null || announce < deadline ? "announce_delay" : null);
  } else add("signal", 0, "drain", "A signal: no longer ready; tasks are notified and waited for.");
  add("deadline", deadline, "abort", "The deadline: remaining tasks are aborted and named.", "drain_timeout");
  add("aborted", deadline === null ? null : abortEnd, "margin", "Aborting is over, at the latest.");
  add("exit", of.exit_after_seconds, null, "The process exits, and whatever still held it is named.", "exit_after");
  add("platform", of.platform_grace_seconds, null, "The platform kills it.", "platform_grace");
  return moments.sort((one, other) => one.at - other.at);
}
