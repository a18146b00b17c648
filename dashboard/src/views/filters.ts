// The search in the list of groups, which the page answers itself: words, and filters by name as the server
// has them for tasks.

import { oldestAge } from "../book.ts";
import type { Group } from "../wire.ts";

type Test = (group: Group) => boolean;

/** `ages`: what it finds changes with time alone. */
export type Filter = { test: Test; ages: boolean } | { problem: string };

const UNITS: Record<string, number> = { us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3_600, d: 86_400, "%": 0.01, "": 1 };

const FIGURES: Record<string, (group: Group) => number | null> = {
  live: (group) => group.live,
  blocked: (group) => group.blocked,
  spawned: (group) => group.spawned,
  rate: (group) => group.finished_per_second,
  age: oldestAge,
  p50: (group) => group.usual?.p50_seconds ?? null,
  p95: (group) => group.usual?.p95_seconds ?? null,
  p99: (group) => group.usual?.p99_seconds ?? null,
  busy: (group) => group.busy_share,
  failed: (group) => group.failed_share,
};

/** Words in quotation marks stay together. */
export function wordsOf(q: string): string[] {
  return [...q.matchAll(/(?:[^\s"]+|"[^"]*")+/g)].map(([word]) => word.replaceAll('"', ""));
}

/** Every word must be in name, label, kind or location, in any case, and every filter must hold. */
export function filterOf(q: string): Filter {
  const tests: Test[] = [];
  for (const word of wordsOf(q)) {
    const test = testOf(word);
    if (typeof test === "string") return { problem: test };
    tests.push(test);
  }
  return { test: (group) => tests.every((test) => test(group)), ages: wordsOf(q).some((word) => /^age:/i.test(word)) };
}

function testOf(word: string): Test | string {
  const [, key, value = ""] = /^([a-z][\w.]*):(?!:)(.+)$/i.exec(word) ?? [];
  if (key === undefined) return contains(word.toLowerCase());
  const name = key.toLowerCase();
  const wanted = value.toLowerCase();
  if (name === "name") return (group) => group.name.toLowerCase().includes(wanted);
  if (name === "location") return (group) => group.location.toLowerCase().includes(wanted);
  if (name === "kind") return (group) => group.kind === wanted;
  if (name === "state") return stateTest(wanted);
  if (name === "warning") return (group) => group.warnings.some(({ code }) => code.includes(wanted));
  if (name === "outcome") return (group) => 0 < (group.finished[wanted as "ok"] ?? 0);
  if (key.startsWith("label.")) return (group) => group.labels[key.slice("label.".length)]?.toLowerCase().includes(wanted) ?? false;
  const figure = FIGURES[name];
  if (figure === undefined) return `${key}: is no filter of groups. There are name, kind, location, state, warning, outcome, label.KEY, ${Object.keys(FIGURES).join(", ")}.`;
  return figureTest(name, figure, value);
}

function stateTest(wanted: string): Test | string {
  if (wanted === "blocked") return (group) => 0 < group.blocked;
  return `state:${wanted} is a filter of tasks: see Tasks.`;
}

function figureTest(name: string, figure: (group: Group) => number | null, value: string): Test | string {
  const [, sign = "", digits, unit = ""] = /^([<>]=?)?(\d+(?:\.\d+)?)(us|ms|s|m|h|d|%)?$/.exec(value) ?? [];
  if (digits === undefined) return `${name}:${value} is no figure: write ${name}:>5 or ${name}:<5m.`;
  const limit = Number(digits) * (UNITS[unit] ?? 1);
  return (group) => {
    const found = figure(group);
    if (found === null) return false;
    if (sign === ">") return limit < found;
    if (sign === ">=") return limit <= found;
    if (sign === "<") return found < limit;
    return sign === "<=" ? found <= limit : found === limit;
  };
}

function contains(word: string): Test {
  return ({ name, labels, kind, location }) => {
    const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
    return [name, ...pairs, kind, location].join("\n").toLowerCase().includes(word);
  };
}
