// The shutdown, from the signal to the report. It keeps one layout from beginning to end, so that what was watched
// stays where it was when the process has gone.

import { post } from "../api.ts";
import { age, clock, count, countdown, plain, plural, text } from "../format.ts";
import { Amount, Duration } from "../parts/amount.tsx";
import { Confirm } from "../parts/confirm.tsx";
import { Copy } from "../parts/copy.tsx";
import { ALLOW } from "../parts/empty.tsx";
import { useHeld, useHold, useTenths } from "../parts/hooks.ts";
import { Mark, Word } from "../parts/mark.tsx";
import { Name, Outside, Pairs } from "../parts/name.tsx";
import { Status } from "../parts/progress.tsx";
import { Location, TaskTable } from "../parts/tasks.tsx";
import { OUTCOMES } from "../place.ts";
import { gone, link, report, second, summary, summaryAt } from "../store.ts";
import type { Outcome, Report, ReportTask, Shutdown, Summary } from "../wire.ts";
import { BurnDown } from "./burndown.tsx";
import { headline, meaning } from "./verdict.ts";

const NAMED_WHEN_FORCED = 3;

export function Drain() {
  const now = summary.value;
  const stopping = now?.shutdown ?? null;
  if (now === null || stopping === null) return null;
  return <Stopping now={now} stopping={stopping} final={report.value} />;
}

function Stopping({ now, stopping, final }: { now: Summary; stopping: Shutdown; final: Report | null }) {
  const over = final !== null || gone.value;
  return (
    <div class={`drain stage-${gone.value ? "gone" : now.stage}`}>
      <DrainHead now={now} stopping={stopping} final={final} over={over} />
      <Done stopping={stopping} final={final} over={over} />
      <BurnDown shutdown={stopping} frozen={over} />
      <JustEnded stopping={stopping} />
      {final === null ? <Remaining now={now} stopping={stopping} over={over} /> : <Left report={final} />}
      {over ? <After now={now} final={final} /> : <Bar now={now} stopping={stopping} />}
    </div>
  );
}

interface HeadProps {
  now: Summary;
  stopping: Shutdown;
  final: Report | null;
  over: boolean;
}

function DrainHead({ now, stopping, final, over }: HeadProps) {
  const tenths = useTenths(!over && link.value.state !== "lost");
  const passed = over ? 0 : Math.max(0, (tenths - summaryAt.value) / 1_000);
  return (
    <header class="drain-head">
      <div>
        <h1>{headline(now.stage, stopping, final, gone.value)}</h1>
        <p class="soft">
          {over ? <Whose now={now} stopping={stopping} /> : <>{meaning(now.stage)} Began <Amount of={countdown(stopping.elapsed_seconds + passed)} /> ago.</>}
        </p>
      </div>
      {!over && <Deadline stopping={stopping} passed={passed} />}
      {over && final !== null && (
        <div class="deadline">
          <span class="deadline-label">exit code</span>
          <span class={`deadline-figure ${final.exit_code === 0 ? "" : "late"}`}>{final.exit_code}</span>
        </div>
      )}
    </header>
  );
}

function Whose({ now, stopping }: { now: Summary; stopping: Shutdown }) {
  return (
    <>
      <Outside text={now.service} /> pid {now.pid}, stopped by {plain(stopping.reason)} at {clock(stopping.started_at)}.
    </>
  );
}

/** The largest thing on the page; in its last quarter in the colour of warnings, and it says so. */
function Deadline({ stopping, passed }: { stopping: Shutdown; passed: number }) {
  const { remaining_seconds: left, budget_seconds: budget } = stopping;
  if (left === null) return <div class="deadline"><span class="deadline-label">no deadline</span></div>;
  const remaining = Math.max(0, left - passed);
  const late = budget !== null && remaining < budget / 4;
  return (
    <div class="deadline" role="timer" aria-label={`Deadline in ${Math.ceil(remaining)} seconds`}>
      <span class="deadline-label">{remaining === 0 ? "deadline passed" : late ? "deadline soon, in" : "deadline in"}</span>
      <span class={`deadline-figure ${late ? "late" : ""}`}><Amount of={countdown(remaining)} /></span>
    </div>
  );
}

function Done({ stopping, final, over }: { stopping: Shutdown; final: Report | null; over: boolean }) {
  const { ended, total } = final === null ? stopping : countsOf(final);
  return (
    <div class="drain-done">
      <progress max={Math.max(1, total)} value={total === 0 ? 1 : ended} aria-label="Finished tasks" />
      <span>
        <b>{count(ended)}</b> of {plural(total, "task")} finished
        {stopping.pending_requests > 0 && !over && <span class="soft">, {plural(stopping.pending_requests, "request")} open</span>}
      </span>
      <Estimate stopping={stopping} over={over} />
    </div>
  );
}

/** What was aborted or abandoned has not finished. */
function countsOf({ ended, abandoned_total }: Report): { ended: number; total: number } {
  const finished = ended.ok + ended.error + ended.panic + ended.cancelled;
  return { ended: finished, total: finished + ended.aborted + abandoned_total };
}

function Estimate({ stopping, over }: { stopping: Shutdown; over: boolean }) {
  const { estimate_seconds: estimate, remaining_seconds: left, pending } = stopping;
  if (over || pending === 0) return <span class="estimate" />;
  if (estimate === null) return <span class="estimate soft">no estimate yet</span>;
  const likely = text(age(Math.max(1, Math.round(estimate))));
  const late = left !== null && left < estimate;
  return <span class={`estimate ${late ? "late" : "soft"}`}>{late ? `likely needs ~${likely}, more than is left` : `likely done in ~${likely}`}</span>;
}

function Remaining({ now, stopping, over }: { now: Summary; stopping: Shutdown; over: boolean }) {
  const { held, hold } = useHold();
  const rows = useHeld(stopping.tasks, held && !over, now.instance);
  const outcomes = new Map<number, Outcome>(stopping.recently_ended.map(({ id, outcome }) => [id, outcome]));
  if (rows.length === 0) return <p class="drain-none">{over ? "" : "Nothing is left to wait for."}</p>;
  const more = stopping.rest.reduce((sum, { count: each }) => sum + each, 0);
  return (
    <section aria-label="Remaining tasks" {...hold}>
      <TaskTable rows={rows} at={summaryAt.value} instance={now.instance} actions={now.actions && !over} label="Remaining, the oldest first" outcomes={outcomes} frozen={over} />
      {more > 0 && (
        <p class="rest">
          …and {count(more)} more:{" "}
          {stopping.rest.map(({ name, count: each }, index) => (
            <>{index > 0 && ", "}<Outside text={name} /> ×{count(each)}</>
          ))}
        </p>
      )}
    </section>
  );
}

/** What the report names. */
function Left({ report: final }: { report: Report }) {
  return (
    <>
      <dl class="inline facts verdicts">
        {OUTCOMES.map((outcome) => (
          <div key={outcome} class={final.ended[outcome] === 0 ? "zero" : undefined}><dt><Word of={outcome} /></dt><dd>{count(final.ended[outcome])}</dd></div>
        ))}
        {final.abandoned_total > 0 && <div class="bad"><dt>abandoned</dt><dd>{count(final.abandoned_total)}</dd></div>}
        <div class={final.late_spawns === 0 ? "zero" : undefined}><dt>spawned late</dt><dd>{count(final.late_spawns)}</dd></div>
        <div><dt>in</dt><dd><Duration seconds={final.duration_seconds} /></dd></div>
      </dl>
      {final.abandoned_total > 0 && <Named title={`Abandoned: ${plural(final.abandoned_total, "task")}`} tasks={final.abandoned} total={final.abandoned_total} />}
      {final.detached_total > 0 && <Named title={`Detached and not waited for: ${plural(final.detached_total, "task")}`} tasks={final.detached} total={final.detached_total} />}
    </>
  );
}

const NAMED = 100;

function Named({ title, tasks, total }: { title: string; tasks: ReportTask[]; total: number }) {
  const shown = tasks.slice(0, NAMED);
  return (
    <section class="named">
      <h2>{title}</h2>
      <table class="table" aria-label={title}>
        <thead>
          <tr><th scope="col" class="c-task">Task</th><th scope="col" class="c-figure">Age</th><th scope="col" class="c-status mid">Was doing</th><th scope="col" class="c-end mid">Ended by</th><th scope="col" class="c-location wide">Spawned at</th></tr>
        </thead>
        <tbody>
          {shown.map((task) => (
            <tr key={task.id}>
              <th scope="row" class="c-task"><span class="id">#{task.id}</span> <Name name={task.name} labels={task.labels} kind={task.kind} /><Pairs of={task.fields} /></th>
              <td class="c-figure"><Duration seconds={task.age_seconds} /></td>
              <td class="c-status mid"><Status status={task.status} progress={task.progress} /></td>
              <td class="c-end mid">{task.aborted ? "aborted" : "not ours to abort"}</td>
              <td class="c-location wide"><Location of={task.location} /></td>
            </tr>
          ))}
        </tbody>
      </table>
      {total > shown.length && <p class="rest">…and {count(total - shown.length)} more, in the JSON as far as the report lists them</p>}
    </section>
  );
}

/** Newest first, so that progress is seen. */
function JustEnded({ stopping }: { stopping: Shutdown }) {
  return (
    <ul class="just-ended" aria-label="Just ended">
      {stopping.recently_ended.map((task) => (
        <li key={task.id}>
          <Mark of={task.outcome} /> <span class="id">#{task.id}</span> <Outside text={task.name} class="given" />{" "}
          <span class="soft">{task.outcome === "ok" ? "completed" : task.outcome} after</span> <Duration seconds={task.duration_seconds} />
        </li>
      ))}
    </ul>
  );
}

/** Always at the foot of the window: nothing that happens above moves it. */
function Bar({ now, stopping }: { now: Summary; stopping: Shutdown }) {
  if (!now.actions) return <HowToAct now={now} />;
  const forcible = now.stage === "announcing" || now.stage === "draining";
  return (
    <div class="drain-bar">
      {stopping.remaining_seconds !== null && forcible && <Extend instance={now.instance} />}
      {forcible ? (
        <Confirm
          label="Force now"
          verb={`Drop ${plural(stopping.pending, "task")}`}
          question={<>Drops {plural(stopping.pending, "task")}{whichOf(stopping)}. What they have not done is lost.</>}
          keep="Keep waiting"
          done="Forced"
          run={() => post("shutdown/force", now.instance)}
          grave
        />
      ) : (
        <span class="soft">{meaning(now.stage)}</span>
      )}
    </div>
  );
}

function Extend({ instance }: { instance: string }) {
  return (
    <Confirm
      label="Extend 30 s"
      verb="Extend"
      question="Moves the deadline by 30 s, and the exit with it."
      keep="Not now"
      done="Extended by 30 s"
      run={() => post("shutdown/extend", instance, { seconds: 30 })}
    />
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
        This page is read-only. To force: <Copy text={`kill -INT ${now.pid}`} class="location" />
        <span class="soft">, a second signal.</span>
      </span>
      <span class="soft">Buttons here need <Copy text={ALLOW} class="location" /> at the start.</span>
    </div>
  );
}

function After({ now, final }: { now: Summary; final: Report | null }) {
  const { seen } = link.value;
  const silent = seen === null ? 0 : Math.floor(Math.max(0, second.value - seen) / 1_000);
  return (
    <div class="drain-bar after">
      <span class="soft">
        {gone.value ? `pid ${now.pid} has not answered for ${text(age(silent))}. The page asks again quietly and comes back with the next process.` : "Still answering, until it exits."}
      </span>
      {final !== null && <Copy text={JSON.stringify(final, null, 2)} class="button">Copy as JSON</Copy>}
    </div>
  );
}
