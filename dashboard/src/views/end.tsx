// A stop that is only remembered: by this page, or by the reports that the server keeps.

import { plain, plural } from "../format.ts";
import { kept, type Kept, keptOf, stoppedAt, stopsOf, withServer } from "../memory.ts";
import { Duration } from "../parts/amount.tsx";
import { Empty, Skeleton } from "../parts/empty.tsx";
import { useAnswer } from "../parts/hooks.ts";
import { Outside } from "../parts/name.tsx";
import { TaskTable } from "../parts/tasks.tsx";
import { Time } from "../parts/time.tsx";
import { here, link, place } from "../place.ts";
import { gone, modern, report, silence, summary } from "../store.ts";
import type { Stops as ServerStops } from "../wire.ts";
import { BurnDown } from "./burndown.tsx";
import { EndActions, Left } from "./ending.tsx";
import { headline, how, judged, tallyOf, verdict } from "./verdict.ts";

/** All stops that are known, newest first. */
export function useStops(): { stops: Kept[]; asked: boolean } {
  const { answer, problem } = useAnswer<ServerStops>(modern.value ? "stops" : null, 60);
  const asked = answer !== null || problem !== null || (summary.value !== null && !modern.value);
  return { stops: withServer(kept.value, answer?.value.items ?? []), asked };
}

export function End() {
  const tag = place.value.in ?? "";
  const { stops, asked } = useStops();
  const found = stops.find(({ instance }) => instance.startsWith(tag)) ?? ofThisProcess(tag);
  if (found === undefined) {
    if (!asked && summary.value !== null) return <Skeleton rows={8} />;
    return (
      <Empty heading title={`Nothing is known of how process ${plain(tag)} ended.`}>
        <p>This browser keeps the ends that it has seen, and a server with <code>report_dir</code> keeps its own. <a href={link({ view: "lifetime" })}>Last stops</a></p>
      </Empty>
    );
  }
  return <Ending of={found} />;
}

/** What is kept only once another process answers, or has not been drawn yet. */
export function ofThisProcess(tag: string): Kept | undefined {
  const now = summary.value;
  if (now === null || !now.instance.startsWith(tag) || (report.value === null && !gone.value)) return undefined;
  return { ...keptOf(now, report.value), seen_at: new Date(Date.now() - 1_000 * (silence.value ?? 0)).toISOString() };
}

function Ending({ of }: { of: Kept }) {
  const { report: final, shutdown: stop } = of;
  const { finished, abandoned, total } = tallyOf(stop, final);
  return (
    <div class="drain stage-gone ended">
      <header class="drain-head">
        <div>
          <h1>{titleOf(of)}</h1>
          <p class="soft">
            <Outside text={of.service} /> pid {of.pid}, started <Time at={of.started_at} />
            {final !== null || stop !== null ? <>, stopped by {plain(final?.reason ?? stop?.reason ?? "?")} at <Time at={stoppedAt(of)} />.</> : <>, last seen at <Time at={of.seen_at} />.</>}
            {of.next !== null && <> pid {of.next.pid} started <Time at={of.next.started_at} />.</>}
          </p>
        </div>
        {final !== null && (
          <div class="deadline">
            <span class="deadline-label">exit code</span>
            <span class={`deadline-figure ${final.exit_code === 0 ? "" : "late"}`}>{final.exit_code}</span>
          </div>
        )}
      </header>
      {(final !== null || stop !== null) && (
        <div class="drain-done">
          <svg class="done-bar" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
            <rect class="rest" width="100" height="12" />
            <rect class="done" width={total === 0 ? 0 : (100 * finished) / total} height="12" />
            {abandoned > 0 && <rect class="cut" x={(100 * finished) / total} width={(100 * abandoned) / total} height="12" />}
          </svg>
          <span><b>{finished}</b> of {plural(total, "task")} finished</span>
          <span class="estimate soft">{judged(stop?.forecast_at_start_seconds ?? final?.forecast_at_start_seconds, stop?.took_seconds ?? final?.duration_seconds ?? null, final?.result)}</span>
        </div>
      )}
      {stop !== null && stop.burn_down.length > 1 && <BurnDown stop={stop} forecast={null} final={final} frozen />}
      {final !== null ? <Left report={final} stop={stop} /> : <LastSeen of={of} />}
      <div class="drain-bar after">
        <span class="soft">{footOf(of)}</span>
        <EndActions of={of} whole={null} />
      </div>
    </div>
  );
}

export function footOf({ instance }: Kept): string {
  return here.value !== null && instance.startsWith(here.value) && !gone.value ? "The process that answers." : "A process that has ended.";
}

export function titleOf(of: Kept): string {
  if (of.report !== null) return `Gone · ${verdict(of.report)}`;
  if (of.shutdown !== null) return headline("done", of.shutdown, null, true);
  return `Gone · no report, ${plural(of.live, "task")} alive when last seen`;
}

/** It ended without a word: the tasks that were waited for then. */
function LastSeen({ of }: { of: Kept }) {
  const tasks = of.shutdown?.tasks ?? [];
  if (tasks.length === 0) return <p class="soft">It announced no stop: it was killed, or it crashed. The tasks that it had are not known.</p>;
  return (
    <section class="named">
      <h2>Waited for when last seen</h2>
      <TaskTable rows={tasks.map((item) => ({ item, left: false }))} at={0} instance={null} actions={false} label="Waited for when last seen" frozen stop={{ others: 0 }} />
    </section>
  );
}

/** How the last processes ended, each a link to its end. */
export function Stops() {
  const now = summary.value;
  const stops = stopsOf(useStops().stops, now);
  if (stops.length === 0) return <p class="soft">None is known yet. This browser keeps the ends that it sees; a server with <code>report_dir</code> keeps its reports.</p>;
  const newest = stops[0]!;
  return (
    <>
      {now !== null && <p>This process (pid {now.pid}) started <Time at={now.started_at} />{between(stopEnd(newest), now.started_at)}.</p>}
      <table class="table stops" aria-label="Last stops">
        <thead>
          <tr>
            <th scope="col" class="c-clock">Stopped at</th>
            <th scope="col" class="c-task">How</th>
            <th scope="col" class="c-figure">Took</th>
            <th scope="col" class="c-figure mid">Forecast</th>
            <th scope="col" class="c-figure">Cut</th>
            <th scope="col" class="c-figure mid">Exit</th>
          </tr>
        </thead>
        <tbody>
          {stops.map((stop) => (
            <tr key={stop.instance}>
              <td class="c-clock"><Time at={stoppedAt(stop)} /></td>
              <th scope="row" class="c-task">
                <a class="row-link" data-row data-key={`stop ${stop.instance}`} href={link({ view: "end", in: stop.instance.slice(0, 6) })}>{stop.report !== null ? how(stop.report) : titleOf(stop).replace("Gone · ", "")}</a>{" "}
                <span class="soft">{plain(stop.report?.reason ?? stop.shutdown?.reason ?? "no stop announced")}, pid {stop.pid}</span>
              </th>
              <td class="c-figure"><Duration seconds={stop.report?.duration_seconds ?? null} /></td>
              <td class="c-figure mid"><Duration seconds={stop.shutdown?.forecast_at_start_seconds ?? stop.report?.forecast_at_start_seconds ?? null} /></td>
              <td class="c-figure">{stop.report?.abandoned_total ?? "–"}</td>
              <td class={`c-figure mid ${(stop.report?.exit_code ?? 0) === 0 ? "" : "bad"}`}>{stop.report?.exit_code ?? "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function stopEnd(of: Kept): string {
  const { report: final } = of;
  return final === null ? of.seen_at : new Date(Date.parse(final.started_at) + final.duration_seconds * 1_000).toISOString();
}

/** How long nothing answered between two processes. */
function between(end: string, start: string) {
  const seconds = (Date.parse(start) - Date.parse(end)) / 1_000;
  if (!Number.isFinite(seconds)) return null;
  if (seconds < 0) return <>, <Duration seconds={-seconds} /> before the last one ended</>;
  return <>, <Duration seconds={seconds} /> after the last one ended</>;
}
