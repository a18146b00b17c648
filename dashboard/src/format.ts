// Figures and times as people write them. An amount comes in parts, so that units can be set small and grey.

export interface Part {
  figure: string;
  unit: string;
}

export const NONE = "–";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** At most two parts: `1.2 s`, `48 s`, `2 h 14 m`, `3 d 4 h`; below a second `40 ms`. */
export function duration(seconds: number | null): Part[] {
  if (seconds === null || !Number.isFinite(seconds)) return [{ figure: NONE, unit: "" }];
  const value = Math.max(0, seconds);
  if (value === 0) return [{ figure: "0", unit: "s" }];
  if (value < 0.001) return [{ figure: trim(value * 1e6), unit: "µs" }];
  if (value < 0.9995) return [{ figure: trim(value * 1e3), unit: "ms" }];
  if (value < 9.95) return [{ figure: value.toFixed(1), unit: "s" }];
  if (value < 59.5) return [{ figure: value.toFixed(0), unit: "s" }];
  return pair(value);
}

/** A setting: as exact as it was given. */
export function setting(seconds: number | null): string {
  if (seconds === null) return "none";
  if (0 < seconds && seconds < 1) return `${Number((seconds * 1e3).toPrecision(3))} ms`;
  return seconds < MINUTE ? `${Number(seconds.toPrecision(4))} s` : text(pair(seconds));
}

/** An age grows in front of the reader: whole seconds from one second on, so that it does not flicker. */
export function age(seconds: number | null): Part[] {
  if (seconds === null || seconds < 0.9995 || MINUTE <= seconds) return duration(seconds);
  return [{ figure: Math.floor(seconds).toString(), unit: "s" }];
}

/** A countdown: tenths below a minute, always with the same number of decimals. */
export function countdown(seconds: number): Part[] {
  const value = Math.max(0, seconds);
  return value < MINUTE ? [{ figure: value.toFixed(1), unit: "s" }] : pair(value);
}

function pair(seconds: number): Part[] {
  const value = Math.round(seconds);
  if (value < HOUR) return parts(Math.floor(value / MINUTE), "m", value % MINUTE, "s");
  if (value < DAY) return parts(Math.floor(value / HOUR), "h", Math.floor((value % HOUR) / MINUTE), "m");
  return parts(Math.floor(value / DAY), "d", Math.floor((value % DAY) / HOUR), "h");
}

function parts(large: number, largeUnit: string, small: number, smallUnit: string): Part[] {
  const first = { figure: large.toString(), unit: largeUnit };
  return small === 0 ? [first] : [first, { figure: small.toString(), unit: smallUnit }];
}

function trim(value: number): string {
  return value < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(0);
}

/** The parts as one text, for titles and screen readers. */
export function text(parts: Part[]): string {
  return parts.map((part) => (part.unit === "" ? part.figure : `${part.figure} ${part.unit}`)).join(" ");
}

/**
 * Every digit, with separators. It avoids `Intl`, whose first use costs more than everything else that the
 * page does before the first paint.
 */
export function count(value: number): string {
  return Math.round(value).toFixed(0).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Three significant figures from a hundred thousand on, or from where it is said: `123 k`, `4.5 M`. */
export function short(value: number, from = 1e5): Part {
  if (value < from) return { figure: count(value), unit: "" };
  if (value < 999_500) return { figure: significant(value / 1e3), unit: "k" };
  if (value < 999_500_000) return { figure: significant(value / 1e6), unit: "M" };
  return { figure: significant(value / 1e9), unit: "G" };
}

function significant(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

/** Per second: `412`, `3.1`, `0.04`, `47.9k`, and `–` where unknown. */
export function rate(value: number | null): string {
  if (value === null) return NONE;
  if (value === 0) return "0";
  if (value < 0.095) return value < 0.005 ? "<0.01" : value.toFixed(2);
  if (value < 9.95) return value.toFixed(1);
  const { figure, unit } = short(value, 1e4);
  return figure + unit;
}

/** An estimate to the second, and of longer times to the minute and the hour. */
export function rough(seconds: number): Part[] {
  const step = seconds < 10 * MINUTE ? 1 : seconds < 10 * HOUR ? MINUTE : HOUR;
  return age(Math.max(1, Math.round(seconds / step) * step));
}

/** An estimate: `about 6 s`, `≤ 5 m`. */
export function estimate(seconds: number, bound: "about" | "at_most" | null | undefined): string {
  const value = text(rough(seconds));
  return bound === "at_most" ? `≤ ${value}` : `about ${value}`;
}

/** A share of one: `2 %`, `0.1 %`, `<0.1 %`. */
export function share(value: number | null): Part {
  if (value === null) return { figure: NONE, unit: "" };
  const percent = value * 100;
  if (percent === 0) return { figure: "0", unit: "%" };
  if (percent < 0.05) return { figure: "<0.1", unit: "%" };
  return { figure: percent < 9.95 ? percent.toFixed(1).replace(/\.0$/, "") : count(percent), unit: "%" };
}

/** `1 task`, `2 tasks`, `1,284 tasks`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/**
 * The time of day, with the date where it is another day, and with milliseconds where several times share a
 * second.
 */
export function clock(at: string, { now = new Date(), utc = false, millis = false }: { now?: Date; utc?: boolean; millis?: boolean } = {}): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  const [day, time] = dayAndTime(date, utc);
  const shown = time.slice(0, millis ? "hh:mm:ss.sss".length : "hh:mm:ss".length);
  return day === dayAndTime(now, utc)[0] ? shown : `${day} ${shown}`;
}

/** `2026-11-25 19:12:25.123 UTC`: the same in every time zone. */
export function utcTime(at: string): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? at : `${dayAndTime(date, true).join(" ")} UTC`;
}

/** The reader's zone as `UTC+9` or `UTC−3:30`; `UTC` where it is that. */
export function zone(now = new Date()): string {
  const minutes = -now.getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  const rest = size % 60 === 0 ? "" : `:${two(size % 60)}`;
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${rest}`;
}

function dayAndTime(date: Date, utc: boolean): [string, string] {
  const shifted = utc ? date : new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  const [day = "", time = ""] = shifted.toISOString().split("T");
  return [day, time.replace("Z", "")];
}

function two(value: number): string {
  return value.toString().padStart(2, "0");
}

const WRITTEN = /(?<![\w.-])(?:(\d+)d ?)?(?:(\d+)h ?)?(?:(\d+)m ?)?(?:(\d+(?:\.\d+)?)(ms|s))?(?![\w.-])/g;

/** A sentence of the server with its durations in the page's words: `64s` and `1m 4s` become `1 m 4 s`. */
export function inWords(sentence: string): string {
  return sentence.replace(WRITTEN, (found: string, d?: string, h?: string, m?: string, rest?: string, unit?: string) => {
    if (found.trim() === "") return found;
    const seconds = Number(d ?? 0) * DAY + Number(h ?? 0) * HOUR + Number(m ?? 0) * MINUTE + Number(rest ?? 0) * (unit === "ms" ? 1e-3 : 1);
    const after = found.endsWith(" ") ? " " : "";
    return setting(seconds).replaceAll(" ", "\u00a0") + after;
  });
}

// Controls, and what changes the direction of all text after it.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Text from outside on one line, with everything that hides or reorders made visible. */
export function plain(value: string): string {
  return value.replace(UNSEEN, (unseen) => {
    if (unseen === "\n") return "⏎";
    if (unseen === "\t") return "⇥";
    return `\\u{${unseen.charCodeAt(0).toString(16)}}`;
  });
}

/** As `plain`, but keeping the lines: for messages in a block of their own. */
export function plainLines(value: string): string {
  return value.split("\n").map(plain).join("\n");
}
