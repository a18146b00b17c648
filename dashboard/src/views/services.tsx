// Services and timers: what each is doing, how its last run ended and why, when it runs next, and a run now.

import { post } from "../api.ts";
import { count, plain, rough, setting } from "../format.ts";
import { Age, Amount, Duration, Growing } from "../parts/amount.tsx";
import { questionOf } from "../parts/asking.ts";
import { AttentionLine } from "../parts/attention.tsx";
import { Confirm } from "../parts/confirm.tsx";
import { Code, Empty, Skeleton } from "../parts/empty.tsx";
import { type Column, Head } from "../parts/head.tsx";
import { since, useAnswer, useHeld, useHold } from "../parts/hooks.ts";
import { Word } from "../parts/mark.tsx";
import { Outside } from "../parts/name.tsx";
import { Location } from "../parts/tasks.tsx";
import { Time } from "../parts/time.tsx";
import { link } from "../place.ts";
import { lost, stopping, summary } from "../store.ts";
import type { Service, ServiceList } from "../wire.ts";

const COLUMNS: Column[] = [
  { key: "name", label: "Name", class: "c-task" },
  { key: "state", label: "State", class: "c-state mid" },
  { key: "last", label: "Last run", class: "c-last-run mid", hint: "How it ended and why, when, and how long it took" },
  { key: "next", label: "Next", class: "c-figure", hint: "Until the next run begins" },
  { key: "runs", label: "Runs", class: "c-figure mid" },
  { key: "failed", label: "Failed", class: "c-figure mid", hint: "Runs that ended other than ok" },
  { key: "missed", label: "Missed", class: "c-figure wide", hint: "Ticks of a timer that passed while a run was alive" },
];
const DO: Column = { key: "do", label: "Action", class: "c-do quiet" };

export function Services() {
  const asked = useAnswer<ServiceList>("services");
  const { answer, problem } = asked;
  const { held, hold } = useHold();
  const rows = useHeld(answer?.value.items ?? [], held, questionOf(asked));
  const may = summary.value?.permissions?.includes("run") === true && !stopping.value;
  if (problem !== null) return <Empty title={problem.detail} />;
  if (answer === null) return <Skeleton rows={4} />;
  return (
    <>
      <AttentionLine />
      {rows.length === 0 ? (
        <None />
      ) : (
        <>
          <table class="table services" aria-label="Services and timers" {...hold}>
            <Head columns={may ? [...COLUMNS, DO] : COLUMNS} sort={null} order={null} />
            <tbody>
              {rows.map(({ item }) => (
                <Row key={item.id} of={item} at={answer.at} may={may} instance={answer.instance} />
              ))}
            </tbody>
          </table>
          {!may && !stopping.value && (
            <p class="soft">
              This page may not begin a run: <code>HEADCOUNT_ALLOW_ACTIONS=run</code> permits it.
            </p>
          )}
        </>
      )}
    </>
  );
}

function Row({ of, at, may, instance }: { of: Service; at: number; may: boolean; instance: string | null }) {
  const finished = link({ view: "finished", q: named(of) });
  return (
    <tr>
      <th scope="row" class="c-task">
        <a class="row-link" data-row data-key={`service ${of.id}`} href={of.task === null ? finished : link({ view: "task", task: of.task })}>
          <Outside text={of.name} class="given" />
        </a>
        <span class="kind"> {termsOf(of)}</span> <Location of={of.location} />
        <span class="below"><Doing of={of} at={at} /><span><Last of={of} /></span></span>
      </th>
      <td class="c-state mid"><Doing of={of} at={at} /></td>
      <td class="c-last-run mid"><Last of={of} /></td>
      <td class="c-figure">{of.next_in_seconds === null ? null : <Next seconds={of.next_in_seconds} at={at} />}</td>
      <td class="c-figure mid">{count(of.runs)}</td>
      <td class="c-figure mid">{0 < of.failures ? <a href={finished}>{count(of.failures)}</a> : 0}</td>
      <td class="c-figure wide soft">{of.period_seconds === null ? null : count(of.skipped)}</td>
      {may && <td class="c-do">{runnable(of) && <RunNow key={of.runs} of={of} instance={instance} />}</td>}
    </tr>
  );
}

function Doing({ of, at }: { of: Service; at: number }) {
  const lasts = of.running_seconds ?? of.state_seconds;
  return (
    <Word of={of.state}>
      {1 <= lasts && <span class="state-since"> <Growing seconds={Math.floor(lasts)} at={at} /></span>}
    </Word>
  );
}

/** `every 30 s`, `critical service`. */
function termsOf({ kind, critical, period_seconds: period }: Service): string {
  if (period !== null) return `every ${setting(period)}`;
  return critical ? `critical ${kind}` : kind;
}

function Last({ of: { last } }: { of: Service }) {
  if (last === null) return <span class="soft">none has ended</span>;
  const text = last.message === null ? null : plain(last.message);
  return (
    <>
      {last.task === null ? <Word of={last.outcome} /> : <a href={link({ view: "task", task: last.task })}><Word of={last.outcome} /></a>}
      <span class="soft"> at <Time at={last.ended_at} /> after <Duration seconds={last.duration_seconds} /></span>
      {text !== null && <> <bdi class="message" title={text}>{text}</bdi></>}
    </>
  );
}

function Next({ seconds, at }: { seconds: number; at: number }) {
  const left = Math.max(0, Math.ceil(seconds - since(at)));
  return left < 600 ? <Age seconds={left} /> : <Amount of={rough(left)} />;
}

/** Two runs never overlap, and what is over runs no more. */
function runnable({ state }: Service): boolean {
  return state === "waiting" || state === "backing_off" || state === "failed";
}

function RunNow({ of, instance }: { of: Service; instance: string | null }) {
  const what = of.state === "waiting" ? "without waiting for the next tick" : "without waiting for the next restart";
  return (
    <Confirm
      label="Run now"
      of={plain(of.name)}
      verb="Run"
      question={<>Begins a run of <Outside text={of.name} /> {what}.</>}
      done="Asked"
      disabled={lost.value}
      run={() => post(`services/${of.id}/run`, instance)}
    />
  );
}

/** A search for its runs. */
function named({ name, kind }: Service): string {
  const quoted = /\s/.test(name) ? `"${name.replaceAll('"', "")}"` : name;
  return `kind:${kind} name:${quoted}`;
}

function None() {
  return (
    <Empty title="No service and no timer has begun.">
      <p>A service is work that must go on, and restarts when it fails. A timer runs again and again, and never twice at once.</p>
      <Code lines={['headcount::service("consumer", || consume()).spawn()?;', 'headcount::every(Duration::from_secs(30), "refresh").run(|| refresh())?;']} />
    </Empty>
  );
}
