// Times of day: in the reader's zone, which is named, or in UTC; the other is a hover away.

import { signal } from "@preact/signals";
import { clock, utcTime, zone } from "../format.ts";
import { forGood } from "../storage.ts";

const KEY = "headcount-utc";

/** Whether times are shown in UTC, so that two people in one incident read one clock. */
export const inUtc = signal(forGood.get(KEY) === "yes");

export function Time({ at, millis = false }: { at: string; millis?: boolean }) {
  const shown = clock(at, { utc: inUtc.value, millis });
  const [whole = shown, rest] = millis ? shown.split(".") : [shown];
  return (
    <time dateTime={at} title={utcTime(at)}>
      {whole}
      {rest !== undefined && <span class="millis">.{rest}</span>}
    </time>
  );
}

export function zoneShown(): string {
  return inUtc.value ? "UTC" : zone();
}

/** Names the zone of all times on the page, and changes it. */
export function ZoneSwitch() {
  const local = zone();
  if (local === "UTC") return <span class="zone">times in UTC</span>;
  const toggle = () => {
    inUtc.value = !inUtc.value;
    forGood.set(KEY, inUtc.value ? "yes" : "no");
  };
  return (
    <button type="button" class="zone" title={`Show times in ${inUtc.value ? local : "UTC"}`} onClick={toggle}>
      times in {zoneShown()}
    </button>
  );
}
