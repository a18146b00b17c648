// The stop, from the signal to the report. The view keeps one layout from beginning to end, so that
// everything stays where it was after the process has gone. The same layout shows a stop that is only
// remembered.

import { useRef } from "preact/hooks";
import { post } from "../api.ts";
import { count, countdown, estimate, plain, plural } from "../format.ts";
import { keptOf } from "../memory.ts";
import { byHold, isLate } from "../outlook.ts";
import { Amount } from "../parts/amount.tsx";
import { Confirm } from "../parts/confirm.tsx";
import { Copy } from "../parts/copy.tsx";
import { ALLOW, Empty } from "../parts/empty.tsx";
import { Extend } from "../parts/extend.tsx";
import { ForecastDetails } from "../parts/forecast.tsx";
import { useAnswer, useHeld, useHold, useTenths } from "../parts/hooks.ts";
import { Mark } from "../parts/mark.tsx";
import { Outside } from "../parts/name.tsx";
import { Duration } from "../parts/amount.tsx";
import { TaskTable } from "../parts/tasks.tsx";
import { Time } from "../parts/time.tsx";
import { link as address } from "../place.ts";
import { failedInStop, firstForecast, forecast, gone, link, lost, mayCancel, permits, report, summary, summaryAt } from "../store.ts";
import type { Outcome, Page, Report, Shutdown, Summary, Task } from "../wire.ts";
import { BurnDown } from "./burndown.tsx";
import { EndActions, Left } from "./ending.tsx";
import { headline, judged, likely, meaning, tallyOf } from "./verdict.ts";

const NAMED_WHEN_FORCED = 3;
/** How often rows may change places, in milliseconds: estimates flicker, the list must not. */
const CALM = 4_000;

export function Drain() {
  const now = summary.value;
  const stop = now?.shutdown ?? null;
  if (now === null) return null;
  if (stop === null) {
    return (
      <Empty heading title="No stop is under way.">
        <p><a href={address({ view: "lifetime" })}>What can end this process</a>, and how the last ones ended.</p>
      </Empty>
    );
  }
  return <Stopping now={now} stop={stop} final={report.value} />;
}

function Stopping({ now, stop, final }: { now: Summary; stop: Shutdown; final: Report | null }) {
  const over = final !== null || gone.value;
  return (
    <div class={`drain stage-${gone.value ? "gone" : now.stage}`}>
      <Head now={now} stop={stop} final={final} over={over} />
      <Done now={now} stop={stop} final={final} over={over} />
      <div class="drain-course">
        <BurnDown stop={stop} forecast={over ? null : forecast.value} final={final} frozen={over} />
        {!over && forecast.value !== null && <ForecastDetails of={forecast.value} during />}
      </div>
      <JustEnded stop={stop} />
      {final === null ? <Remaining now={now} stop={stop} over={over} /> : <Left report={final} stop={stop} />}
      {over ? <After now={now} final={final} /> : <Bar now={now} stop={stop} />}
    </div>
  );
}

interface HeadProps {
  now: Summary;
  stop: Shutdown;
  final: Report | null;
  over: boolean;
}

function Head({ now, stop, final, over }: HeadProps) {
  const tenths = useTenths(!over && !lost.value);
  const passed = over ? 0 : Math.max(0, ((lost.value ? (link.value.seen ?? 0) : tenths) - summaryAt.value) / 1_000);
  const notified = notifiedIn(now, stop);
  return (
    <header class="drain-head">
      <div>
        <h1>{headline(now.stage, stop, final, gone.value)}</h1>
        <p class="soft">
          {over ? (
            <><Outside text={now.service} /> pid {now.pid}, stopped by {plain(stop.reason)} at <Time at={stop.started_at} />.</>
          ) : (
            <>{meaning(now.stage)} Began <Amount of={countdown(stop.elapsed_seconds + passed)} /> ago.</>
          )}
        </p>
      </div>
      {!over && (
        <div class="deadlines">
          {notified !== null && <Countdown label="tasks notified in" left={Math.max(0, notified - passed)} />}
          <Deadline stop={stop} passed={passed} />
        </div>
      )}
      {over && final !== null && (
        <div class="deadline">
          <span class="deadline-label">exit code</span>
          <span class={`deadline-figure ${final.exit_code === 0 ? "" : "late"}`}>{final.exit_code}</span>
        </div>
      )}
    </header>
  );
}

/** While announcing: until the tasks are notified. */
export function notifiedIn({ stage, lifetime }: Summary, { told_in_seconds: notified, elapsed_seconds: elapsed }: Shutdown): number | null {
  if (stage !== "announcing") return null;
  return notified ?? Math.max(0, lifetime.announce_delay_seconds - elapsed);
}

function Countdown({ label, left, late = false }: { label: string; left: number; late?: boolean }) {
  return (
    <div class="deadline" role="timer" aria-label={`${label} ${Math.ceil(left)} seconds`}>
      <span class="deadline-label">{label}</span>
      <span class={`deadline-figure ${late ? "late" : ""}`}><Amount of={countdown(left)} /></span>
    </div>
  );
}

/** The largest thing on the page; in its last quarter in the colour of warnings, and it says so. */
function Deadline({ stop, passed }: { stop: Shutdown; passed: number }) {
  const { remaining_seconds: left, budget_seconds: budget } = stop;
  if (left === null) return <div class="deadline"><span class="deadline-label">no deadline</span></div>;
  const remaining = Math.max(0, left - passed);
  const late = budget !== null && remaining < budget / 4;
  return <Countdown label={remaining === 0 ? "deadline passed" : late ? "deadline soon, in" : "deadline in"} left={remaining} late={late} />;
}

function Done({ now, stop, final, over }: { now: Summary; stop: Shutdown; final: Report | null; over: boolean }) {
  const { finished, abandoned, total } = tallyOf(stop, final);
  const announcing = now.stage === "announcing" && !over;
  // A server that counts only once the tasks are notified: all that live, except those no stop waits for.
  const awaited = announcing && total === 0 ? now.live : announcing ? stop.pending : total;
  return (
    <div class="drain-done">
      <svg class="done-bar" viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label={`${count(finished)} of ${count(awaited)} tasks finished`}>
        <rect class="rest" width="100" height="12" />
        <rect class="done" width={announcing ? 0 : part(finished, total)} height="12" />
        {abandoned > 0 && <rect class="cut" x={part(finished, total)} width={100 - part(finished, total)} height="12" />}
      </svg>
      <span>
        {announcing ? (
          <><b>{plural(awaited, "task")}</b> will be waited for</>
        ) : (
          <>
            <b>{count(finished)}</b> of {plural(total, "task")} finished
            {stop.pending_requests > 0 && !over && <span class="soft">, {plural(stop.pending_requests, "request")} open</span>}
          </>
        )}
      </span>
      {over ? <Judged stop={stop} final={final} /> : <Estimate stop={stop} announcing={announcing} />}
    </div>
  );
}

function part(value: number, total: number): number {
  return total === 0 ? 0 : (100 * value) / total;
}

/** How the forecast at the start came out. */
function Judged({ stop, final }: { stop: Shutdown | null; final: Report | null }) {
  const words = judged(stop?.forecast_at_start_seconds ?? final?.forecast_at_start_seconds ?? firstForecast.value, stop?.took_seconds ?? final?.duration_seconds ?? null, final?.result);
  return <span class="estimate soft">{words}</span>;
}

function Estimate({ stop, announcing }: { stop: Shutdown; announcing: boolean }) {
  const { estimate_seconds: old, remaining_seconds: left, pending } = stop;
  const now = forecast.value;
  if (pending === 0 && now === null) return <span class="estimate" />;
  if (now !== null) return <span class={`estimate ${isLate(now) ? "late" : "soft"}`}>{likely(now, pending, announcing)}</span>;
  if (old === null) return <span class="estimate soft">no estimate: too few tasks of their groups have finished</span>;
  const late = left !== null && left < old;
  return <span class={`estimate ${late ? "late" : "soft"}`}>{late ? `likely needs ${estimate(old, "about")}, more than is left` : `likely done in ${estimate(old, "about")}`}</span>;
}

function Remaining({ now, stop, over }: { now: Summary; stop: Shutdown; over: boolean }) {
  const { held, hold } = useHold();
  const announcing = now.stage === "announcing" && !over;
  const { answer } = useAnswer<Page<Task>>(announcing && stop.tasks.length === 0 ? "tasks?sort=age&limit=20" : null);
  const given = stop.tasks.length === 0 && announcing ? (answer?.value.items ?? []) : stop.tasks;
  const outcomes = new Map<number, Outcome>(stop.recently_ended.map(({ id, outcome }) => [id, outcome]));
  const alive = given.filter(({ id }) => !outcomes.has(id));
  const ordered = useCalmOrder(byHold(alive, now.forecast != null), held, now.stage);
  const rows = useHeld(ordered, held && !over, now.instance);
  const more = stop.rest.reduce((sum, { count: each }) => sum + each, 0);
  if (rows.length === 0) return <p class="drain-none">{nothingLeft(now, stop, over)}</p>;
  return (
    <section aria-label="Remaining tasks" {...hold}>
      <TaskTable
        rows={rows}
        at={summaryAt.value}
        instance={now.instance}
        actions={mayCancel.value && !over}
        label="Remaining, what holds up the stop longest first"
        outcomes={outcomes}
        frozen={over}
        stop={{ others: Math.max(0, stop.pending - alive.filter(({ on_shutdown }) => on_shutdown === "last").length) }}
      />
      {more > 0 && (
        <p class="rest">
          …and {count(more)} more:{" "}
          {stop.rest.map(({ name, count: each }, index) => (
            <>{index > 0 && ", "}<Outside text={name} /> ×{count(each)}</>
          ))}
        </p>
      )}
    </section>
  );
}

/** Only once the tasks were notified can there be nothing left. */
function nothingLeft({ stage, live }: Summary, { pending }: Shutdown, over: boolean): string {
  if (over) return "";
  if (stage === "announcing") return "Tasks are notified when the announcing is over.";
  if (pending > 0) return `${plural(pending, "task")} left.`;
  return live === 0 ? "Nothing is left to wait for." : `Nothing is left to wait for. ${plural(live, "task")} that no stop waits for ${live === 1 ? "is" : "are"} still alive.`;
}

/** The order as given, but rows that stay change places only now and then, and when another stage begins. */
function useCalmOrder(tasks: Task[], held: boolean, stage: Summary["stage"]): Task[] {
  const order = useRef({ ids: new Map<number, number>(), at: 0, stage });
  const now = performance.now();
  const due = CALM < now - order.current.at || stage !== order.current.stage;
  if (!held && due) order.current = { ids: new Map(tasks.map(({ id }, index) => [id, index])), at: now, stage };
  const { ids } = order.current;
  const place = (task: Task, index: number) => ids.get(task.id) ?? tasks.length + index;
  return tasks.map((task, index) => ({ task, at: place(task, index) })).sort((one, other) => one.at - other.at).map(({ task }) => task);
}

/**
 * Those that failed stay in front; then the newest first, so that progress is seen. The cells stay, the
 * tasks go through them.
 */
function JustEnded({ stop }: { stop: Shutdown }) {
  const { held, hold } = useHold();
  const failed = failedInStop.value;
  const known = new Set(failed.map(({ id }) => id));
  // Those that are abandoned are named at the end, each with its reason.
  const others = stop.recently_ended.filter(({ id, outcome }) => !known.has(id) && outcome !== "abandoned" && outcome !== "aborted");
  const cells = useHeld([...failed, ...others], held);
  return (
    <ul class="just-ended" aria-label="Just ended" {...hold}>
      {cells.map(({ item: task }, cell) => (
        <li key={cell} class={known.has(task.id) ? "failed" : undefined}>
          <a href={address({ view: "task", task: task.id })}>
            <Mark of={task.outcome} /> <span class="id">#{task.id}</span> <Outside text={task.name} class="given" />
          </a>{" "}
          <span class="ended-how soft">{task.outcome === "ok" ? <span class="unseen">completed </span> : `${task.outcome} `}after <Duration seconds={task.duration_seconds} /></span>
        </li>
      ))}
    </ul>
  );
}

/** Always at the foot of the window: nothing that happens above moves it. */
function Bar({ now, stop }: { now: Summary; stop: Shutdown }) {
  if (!permits(now, "shutdown")) return <HowToAct now={now} />;
  const forcible = now.stage === "announcing" || now.stage === "draining";
  const dropped = now.stage === "announcing" && stop.pending === 0 ? now.live : stop.pending;
  return (
    <div class="drain-bar">
      {stop.remaining_seconds !== null && forcible && <Extend now={now} stop={stop} />}
      {forcible ? (
        <Confirm
          label="Force now"
          verb={`Drop ${plural(dropped, "task")}`}
          question={<>Drops {plural(dropped, "task")}{whichOf(stop)}. Their unfinished work is lost.</>}
          keep="Keep waiting"
          done="Forced"
          disabled={lost.value}
          run={() => post("shutdown/force", now.instance)}
          grave
        />
      ) : (
        <span class="soft">{meaning(now.stage)}</span>
      )}
    </div>
  );
}

function whichOf({ tasks, pending }: Shutdown): string {
  const named = tasks.slice(0, NAMED_WHEN_FORCED).map(({ id, name }) => `#${id} ${plain(name)}`);
  if (named.length === 0) return "";
  const more = pending - named.length;
  return `: ${named.join(", ")}${more > 0 ? ` and ${count(more)} more` : ""}`;
}

function HowToAct({ now }: { now: Summary }) {
  return (
    <div class="drain-bar readonly">
      <span>
        {permits(now, "cancel") ? "The page may not force this stop." : "This page is read-only."} To force: <Copy text={`kill -INT ${now.pid}`} class="location" />
        <span class="soft">, a second signal.</span>
      </span>
      <span class="soft">Buttons here need <Copy text={ALLOW} class="location" /> at the start.</span>
    </div>
  );
}

function After({ now, final }: { now: Summary; final: Report | null }) {
  return (
    <div class="drain-bar after">
      <span class="soft">
        {gone.value ? `pid ${now.pid} does not answer any more. The page asks again quietly and comes back with the next process.` : "Still answering, until it exits."}
      </span>
      <EndActions of={keptOf(now, final)} whole={final} />
    </div>
  );
}
