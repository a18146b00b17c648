import { useRef, useState } from "preact/hooks";
import { count, plain, plainLines, plural } from "../format.ts";
import { Duration } from "../parts/amount.tsx";
import { NOTHING, questionOf } from "../parts/asking.ts";
import { AttentionLine } from "../parts/attention.tsx";
import { seen } from "../parts/breadth.ts";
import { Choice } from "../parts/controls.tsx";
import { Empty } from "../parts/empty.tsx";
import { HeldNote } from "../parts/held.tsx";
import { type Column, Head } from "../parts/head.tsx";
import { useAnswer, useGrown, useHeld, useHold } from "../parts/hooks.ts";
import { Clear, Listing, pagePath } from "../parts/listing.tsx";
import { Mark, Word } from "../parts/mark.tsx";
import { Name, Outside, Pairs } from "../parts/name.tsx";
import { Location, standingOf } from "../parts/tasks.tsx";
import { Time, zoneShown } from "../parts/time.tsx";
import { Trace } from "../parts/trace.tsx";
import { adjust, link, OUTCOMES, place } from "../place.ts";
import { countOf, groups, modern, summary } from "../store.ts";
import type { FailureGroup, FinishedPage, FinishedTask, OkGroup, Outcome, OutcomeCounts, TaskDetail } from "../wire.ts";
import { wordsOf } from "./filters.ts";
import { hasEnded } from "./task.tsx";
import { GroupChip } from "./tasks.tsx";

const COLUMNS: Column[] = [
  { key: "at", label: "At", class: "c-clock mid" },
  { key: "name", label: "Task", class: "c-task" },
  { key: "outcome", label: "Outcome", class: "c-outcome" },
  { key: "duration", label: "Took", class: "c-figure", hint: "From spawn to end" },
  { key: "usual", label: "Usually", class: "c-figure wide", hint: "The median of its group's finished tasks" },
  { key: "message", label: "Message", class: "c-message mid", hint: "The text of the error or panic" },
];

export function Finished() {
  const { q, outcome, group, cursor, open } = place.value;
  // A search for an outcome shows each task of it.
  const folds = outcome === null && !/(^|\s)-?outcome:/.test(q);
  const path = pagePath("finished", { outcome, q, group, cursor, fold_ok: folds ? "true" : null });
  const asked = useAnswer<FinishedPage>(path);
  const { held, hold, release } = useHold(open !== null);
  const question = questionOf(asked);
  const listed = useHeld(asked.answer?.value.items ?? [], held, question);
  const pinned = usePinned(open, listed.map(({ item }) => item));
  const rows = pinned === null ? listed : [{ item: pinned, left: false }, ...listed];
  const grouped = cursor === null && outcome !== "ok";
  const failures = useFailures();
  const known = !grouped || failures.items !== null;
  const folded = useFolded(asked.answer?.value.folded ?? [], held, question);
  const ok = folded.reduce((sum, each) => sum + each.count, 0);
  const totals = group === null ? summary.value?.finished : groups.value.find(({ id }) => id === group)?.finished;
  const ended = totals === undefined ? 0 : sumOf(totals);
  const newer = useGrown(held, ended);
  const letGo = () => {
    release();
    if (open !== null) adjust({ open: null });
  };
  return (
    <>
      <AttentionLine />
      <div class="controls">
        <div class="choices">
          <Choice label="Outcome" all="any outcome" of={OUTCOMES} value={outcome} counts={totals === undefined ? undefined : countsOf(totals)} mark={(one) => <Mark of={one} />} onChoose={(one) => adjust({ outcome: one, cursor: null, from: null, open: null })} />
          <GroupChip />
        </div>
        <HeldNote held={held && asked.answer !== null} newer={newer} release={letGo} />
        <span class="total">
          {asked.answer !== null && totals !== undefined && (
            <>{count(asked.answer.value.total + ok)} remembered <span class="soft">of {count(ended)} finished</span></>
          )}
        </span>
      </div>
      {grouped && failures.items !== null && <Failures key={`${q} ${outcome} ${group}`} items={failures.items} question={failures.question} />}
      {known && folded.length > 0 && (
        <>
          <Folded key={asked.path} items={folded} question={question} />
          {rows.length > 0 && <h2 class="others">Not ok, one by one</h2>}
        </>
      )}
      {/* What stands above comes first: nothing is pushed down afterwards. */}
      <Listing asked={known ? asked : NOTHING} shown={rows.length} none={ok > 0 ? <p class="soft">None that is remembered ended in another way than ok.</p> : <NoneFinished q={q} narrowed={q !== "" || outcome !== null || group !== null} />}>
        {() => (
          <table class={`table finished ${asked.path === path ? "" : "stale"}`} aria-label="Finished tasks" {...hold}>
            <Head columns={[{ ...COLUMNS[0]!, label: `At (${zoneShown()})` }, ...COLUMNS.slice(1)]} sort={null} order={null} />
            <tbody>
              {/* The rows stay, the tasks go through them: nothing is pushed down by what has just ended. */}
              {rows.map(({ item }, index) => (
                <FinishedRow key={index} task={item} />
              ))}
            </tbody>
          </table>
        )}
      </Listing>
    </>
  );
}

function sumOf(counts: OutcomeCounts): number {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

function countsOf(counts: OutcomeCounts): Partial<Record<Outcome, number>> {
  return Object.fromEntries(OUTCOMES.map((outcome) => [outcome, countOf(counts, outcome)]));
}

/**
 * The opened task where the list no longer has it. A link to the task still shows it, and newer tasks do not
 * push it out.
 */
function usePinned(open: number | null, listed: FinishedTask[]): FinishedTask | null {
  const missing = open !== null && !listed.some(({ id }) => id === open);
  const { answer } = useAnswer<TaskDetail>(missing ? `tasks/${open}` : null, 60, hasEnded);
  const task = answer?.value ?? null;
  if (!missing || task === null || task.id !== open) return null;
  const { outcome, duration_seconds, finished_at } = task;
  return outcome === null || duration_seconds === null || finished_at === null ? null : { ...task, outcome, duration_seconds, finished_at };
}

const FAILURES = 8;

/**
 * Failed tasks by their message: a thousand with one message are one line. Null while it is not known whether
 * there are any.
 */
function useFailures(): { items: FailureGroup[] | null; question: string | null } {
  const { q, outcome, group } = place.value;
  const asked = useAnswer<{ items: FailureGroup[] }>(modern.value ? "failures" : null, 2);
  const { answer, problem } = asked;
  const question = questionOf(asked);
  if (answer !== null) return { items: answer.value.items.filter(failureFilter(q, outcome, group)), question };
  return { items: problem !== null || (summary.value !== null && !modern.value) ? [] : null, question };
}

/** As the list below is narrowed, as far as messages can be. */
function failureFilter(q: string, outcome: Outcome | null, group: number | null): (item: FailureGroup) => boolean {
  const nameOf = (id: number) => groups.value.find((one) => one.id === id)?.name;
  const tests = wordsOf(q).map((word): ((item: FailureGroup) => boolean) => {
    const [, key, value = ""] = /^([a-z][\w.]*):(?!:)(.+)$/i.exec(word) ?? [];
    if (key === "outcome") return (item) => value.split(",").includes(item.outcome);
    if (key === "group") return (item) => item.name === nameOf(Number(value));
    if (key === "name") return (item) => item.name.toLowerCase().includes(value.toLowerCase());
    if (key !== undefined) return () => true;
    return ({ name, message, outcome: how }) => `${name} ${how} ${message ?? ""}`.toLowerCase().includes(word.toLowerCase());
  });
  return (item) => (outcome === null || item.outcome === outcome) && (group === null || item.name === nameOf(group)) && tests.every((test) => test(item));
}

/**
 * The box keeps its initial height, so that the list below never moves by itself. More lines are a click
 * away.
 */
function Failures({ items, question }: { items: FailureGroup[]; question: string | null }) {
  const [lines, setLines] = useState(Math.min(FAILURES, items.length));
  const { held, hold } = useHold();
  const shown = useHeldFailures(items, held, question).slice(0, lines);
  const more = items.length - lines;
  if (lines === 0) {
    return (
      <p class="failures-none">
        {items.length === 0 ? <span class="soft">No failure is remembered.</span> : <button type="button" class="link" onClick={() => setLines(Math.min(FAILURES, items.length))}>Failures by message: {count(items.length)}</button>}
      </p>
    );
  }
  return (
    <section class="failures" {...hold}>
      <h2>
        Failures by message
        {more > 0 && <button type="button" class="link" onClick={() => setLines(items.length)}>{plural(more, "more message", "more messages")}</button>}
      </h2>
      <table class="table" aria-label="Failures by message">
        <thead>
          <tr>
            <th scope="col" class="c-task">Group and message</th>
            <th scope="col" class="c-outcome">Outcome</th>
            <th scope="col" class="c-figure">Count</th>
            <th scope="col" class="c-clock mid">First ({zoneShown()})</th>
            <th scope="col" class="c-clock mid">Last</th>
            <th scope="col" class="c-last">Last task</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((item) => (
            <tr key={keyOf(item)}>
              <th scope="row" class="c-task">
                <a class="row-link" data-row data-key={`failure ${keyOf(item)}`} href={link({ view: "finished", outcome: item.outcome, q: quoted(item) })}>
                  <Outside text={item.name} class="given" />
                </a>{" "}
                {item.message !== null && <bdi class="message" title={plain(item.message)}>{plain(item.message)}</bdi>}
              </th>
              <td class="c-outcome"><Word of={item.outcome} /></td>
              <td class="c-figure"><b>{count(item.count)}</b></td>
              <td class="c-clock mid"><Time at={item.first} /></td>
              <td class="c-clock mid"><Time at={item.last} /></td>
              <td class="c-last"><a href={link({ view: "task", task: item.last_task })}>#{item.last_task}</a></td>
            </tr>
          ))}
          {Array.from({ length: lines - shown.length }, (_, index) => <tr key={index} class="pad"><td colSpan={6} /></tr>)}
        </tbody>
      </table>
    </section>
  );
}

/** Nothing appears above a list that is held, unless another list is asked for. */
function useFolded(now: OkGroup[], held: boolean, question: string | null): OkGroup[] {
  const kept = useRef(now);
  const asked = useRef(question);
  if (!held || kept.current.length > 0 || asked.current !== question) kept.current = now;
  asked.current = question;
  return kept.current;
}

/**
 * Those that were ok, by group: one by one they are a wall of one word. A group keeps its place while the
 * view is open, and the box its height.
 */
function Folded({ items, question }: { items: OkGroup[]; question: string | null }) {
  const [lines, setLines] = useState(Math.min(FAILURES, items.length));
  const { held, hold } = useHold();
  const places = useRef(new Map<number, number>());
  for (const { group } of items) if (!places.current.has(group)) places.current.set(group, places.current.size);
  const ordered = [...items].sort((one, other) => places.current.get(one.group)! - places.current.get(other.group)!);
  const numbered = ordered.map((item) => ({ ...item, id: item.group }));
  const shown = useHeld(numbered, held, question).slice(0, lines).map(({ item }) => item);
  const more = items.length - lines;
  return (
    <section class="failures ok-groups" {...hold}>
      <h2>
        Ok by group <span class="soft">{count(items.reduce((sum, each) => sum + each.count, 0))} remembered</span>
        {more > 0 && <button type="button" class="link" onClick={() => setLines(items.length)}>{plural(more, "more group", "more groups")}</button>}
      </h2>
      <table class="table" aria-label="Ok by group">
        <thead>
          <tr>
            <th scope="col" class="c-task">Group</th>
            <th scope="col" class="c-figure">Count</th>
            <th scope="col" class="c-figure" title="Half of them took at most this long">Half took</th>
            <th scope="col" class="c-figure mid">Longest</th>
            <th scope="col" class="c-clock mid">First ({zoneShown()})</th>
            <th scope="col" class="c-clock mid">Last</th>
            <th scope="col" class="c-last">Last task</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((item) => (
            <tr key={item.group}>
              <th scope="row" class="c-task">
                <a class="row-link" data-row data-key={`ok ${item.group}`} href={link({ view: "finished", outcome: "ok", group: item.group })}>
                  <Name name={item.name} labels={item.labels} kind={item.kind} />
                </a>
              </th>
              <td class="c-figure"><b>{count(item.count)}</b></td>
              <td class="c-figure"><Duration seconds={item.median_seconds} /></td>
              <td class="c-figure mid"><Duration seconds={item.longest_seconds} /></td>
              <td class="c-clock mid"><Time at={item.first} /></td>
              <td class="c-clock mid"><Time at={item.last} /></td>
              <td class="c-last"><a href={link({ view: "task", task: item.last_task })}>#{item.last_task}</a></td>
            </tr>
          ))}
          {Array.from({ length: Math.max(0, lines - shown.length) }, (_, index) => <tr key={index} class="pad"><td colSpan={7} /></tr>)}
        </tbody>
      </table>
    </section>
  );
}

function keyOf({ name, message, outcome }: FailureGroup): string {
  return `${name} ${outcome} ${message ?? ""}`;
}

/** A search for its name: the messages of one group and outcome are few. */
function quoted({ name }: FailureGroup): string {
  return /\s/.test(name) ? `"${name.replaceAll('"', "")}"` : name;
}

/** As other lists: in place while the reader is at it, each line as last known. */
function useHeldFailures(items: FailureGroup[], held: boolean, question: string | null): FailureGroup[] {
  const numbered = items.map((item) => ({ ...item, id: idOf(keyOf(item)) }));
  return useHeld(numbered, held, question).map(({ item }) => item);
}

const ids = new Map<string, number>();

function idOf(key: string): number {
  const known = ids.get(key) ?? ids.size;
  ids.set(key, known);
  return known;
}

function FinishedRow({ task }: { task: FinishedTask }) {
  const open = place.value.open === task.id;
  const toggle = () => adjust({ open: open ? null : task.id });
  return (
    <>
      <tr class={open ? "open" : undefined}>
        <td class="c-clock mid"><Time at={task.finished_at} millis /></td>
        <th scope="row" class="c-task">
          <button type="button" class="row-link" data-row data-key={`ended ${task.id}`} aria-expanded={open} onClick={toggle}>
            <span class="twist" aria-hidden="true" />
            <span class="id">#{task.id}</span> <Name name={task.name} labels={task.labels} kind={task.kind} />
          </button>
          <span class="below">
            <Time at={task.finished_at} millis />
            {task.message !== null && <bdi class="message">{plain(task.message)}</bdi>}
          </span>
        </th>
        <td class="c-outcome"><Word of={task.outcome} /></td>
        <td class="c-figure"><Duration seconds={task.duration_seconds} /></td>
        <td class="c-figure wide soft"><Duration seconds={task.usual?.p50_seconds ?? null} /></td>
        <td class="c-message mid">{task.message !== null && <bdi class="message">{plain(task.message)}</bdi>}</td>
      </tr>
      {open && (
        <tr class="inside">
          <td colSpan={seen(COLUMNS)}>
            <FinishedInside task={task} />
          </td>
        </tr>
      )}
    </>
  );
}

function FinishedInside({ task }: { task: FinishedTask }) {
  return (
    <div class="finished-inside">
      {task.message !== null && <pre class="message-block" tabIndex={0} role="region" aria-label="Message"><bdi>{plainLines(task.message)}</bdi></pre>}
      <dl class="inline facts">
        {task.usual !== null && <div><dt>took</dt><dd>{standingOf(task.duration_seconds, task.usual)}</dd></div>}
        <div><dt>busy</dt><dd><Duration seconds={task.busy_seconds} /></dd></div>
        <div><dt>polls</dt><dd>{count(task.polls)}</dd></div>
        {task.status !== null && <div><dt>last status</dt><dd><bdi>{`“${plain(task.status)}”`}</bdi></dd></div>}
        {Object.keys(task.fields).length > 0 && <div><dt>fields</dt><dd><Pairs of={task.fields} /></dd></div>}
        {task.trace_id != null && <div><dt>trace</dt><dd><Trace id={task.trace_id} /></dd></div>}
        <div><dt>spawned at</dt><dd><Location of={task.location} /></dd></div>
        <div><dt>all of it</dt><dd><a href={link({ view: "task", task: task.id })}>#{task.id}</a></dd></div>
      </dl>
    </div>
  );
}

function NoneFinished({ q, narrowed }: { q: string; narrowed: boolean }) {
  if (!narrowed) return <Empty title="No task has finished yet."><p>The newest {plural(1000, "end")} are remembered, and as many that were not ok.</p></Empty>;
  return (
    <Empty title={q === "" ? "No remembered task ended like that." : `No finished task matches “${plain(q)}”.`}>
      <p>The search looks at name, labels, fields, status, location, outcome and message of the tasks that are remembered. <Clear /></p>
    </Empty>
  );
}
