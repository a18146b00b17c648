// How a stop would go, and what would hold it up.

import { count, estimate, inWords, plain, plural } from "../format.ts";
import { holdName, isLate } from "../outlook.ts";
import { link } from "../place.ts";
import { forecast, stopping } from "../store.ts";
import { rangeOf } from "../views/verdict.ts";
import type { Forecast, Hold } from "../wire.ts";

/** One line for the list of groups: the answer to "what if it stopped now". */
export function ForecastLine() {
  const now = forecast.value;
  if (now === null || stopping.value) return null;
  return (
    <a class={`forecast-line ${isLate(now) ? "late" : ""}`} href={link({ view: "lifetime" })} title={now.sentence}>
      {sentenceOf(now)}
    </a>
  );
}

export function sentenceOf(now: Forecast): string {
  return inWordsOf(now.sentence === "" ? composed(now, "If stopped now") : now.sentence);
}

function inWordsOf(sentence: string): string {
  return plain(inWords(sentence));
}

/** The forecast in a sentence, where the server gives none. */
export function composed(now: Forecast, begin: string): string {
  const parts: string[] = [];
  if (now.done > 0) parts.push(`${count(now.done)} done${now.done_in_seconds === null ? "" : ` in ${estimate(now.done_in_seconds, "about")}`}`);
  for (const hold of now.will_be_cut.slice(0, 2)) parts.push(`${holdName(hold)} ${hold.reason}`);
  for (const hold of now.cannot_abort.slice(0, 2)) parts.push(`${holdName(hold)} cannot be aborted`);
  if (now.unknown > 0) parts.push(`${count(now.unknown)} unknown`);
  return `${begin}: ${parts.length === 0 ? "nothing to wait for" : parts.join("; ")}.`;
}

/** As many of each kind as are named during a stop, where every row below says it of itself. */
const NAMED = 2;

/**
 * What the forecast knows about tasks that would hold up a stop. During a stop, the view above shows how many
 * are done and when.
 */
export function ForecastDetails({ of, during = false }: { of: Forecast; during?: boolean }) {
  const { will_be_cut: cut, cannot_abort: stuck, unknown, unknown_names: names } = of;
  const most = during ? NAMED : NAMED + 1;
  return (
    <dl class="outlook">
      {of.done > 0 && !during && (
        <div>
          <dt>Done</dt>
          <dd>
            {plural(of.done, "task")}
            {of.done_in_seconds !== null && <> in {estimate(of.done_in_seconds, "about")}</>}
            {rangeOf(of.band_seconds) !== null && <span class="soft"> ({rangeOf(of.band_seconds)})</span>}
          </dd>
        </div>
      )}
      {cut.length > 0 && <div class="late"><dt>Will not make it</dt><dd><Holds of={cut} most={most} during={during} /></dd></div>}
      {stuck.length > 0 && <div class="late"><dt>Cannot be aborted</dt><dd><Holds of={stuck} most={most} during={during} /></dd></div>}
      {unknown > 0 && (
        <div>
          <dt>Unknown</dt>
          <dd>
            {names.length === 0 ? plural(unknown, "task") : names.slice(0, 6).map(({ name, count: each }) => `${plain(name)}${each > 1 ? ` ×${count(each)}` : ""}`).join(", ")}
            {!during && <span class="soft">: too few of their groups have finished</span>}
          </dd>
        </div>
      )}
      {during && cut.length + stuck.length + unknown === 0 && <div><dt>Outlook</dt><dd>Nothing is expected to be cut.</dd></div>}
    </dl>
  );
}

/** The reasons stand in the rows below during a stop; when the others are cut, the deadline says. */
function Holds({ of, most, during }: { of: Hold[]; most: number; during: boolean }) {
  const shown = of.length <= most + 1 ? of : of.slice(0, most);
  const more = of.length - shown.length;
  return (
    <ul class="holds">
      {shown.map((hold) => (
        <li key={`${hold.name} ${hold.task}`}>
          {hold.task !== null && hold.count <= 1 ? <a href={link({ view: "task", task: hold.task })}><bdi>{holdName(hold)}</bdi></a> : <bdi>{holdName(hold)}</bdi>}{" "}
          {!during && hold.reason !== "cannot be aborted" && <span class="soft">{inWordsOf(hold.reason.replace(/, cut at [^,;]+$/, ""))}</span>}
        </li>
      ))}
      {more > 0 && <li class="soft">and {count(more)} more</li>}
    </ul>
  );
}
