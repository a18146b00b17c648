// Tasks as rows: in the list, as a tree, under their group, and while the process stops.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo, useRef } from "preact/hooks";
import { post } from "../api.ts";
import { age, count, duration, plain, plural, rough, setting, text } from "../format.ts";
import { etaOf, waitsFor } from "../outlook.ts";
import { link, type Order } from "../place.ts";
import { lost } from "../store.ts";
import type { Group, Outcome, Page, Task, Usual } from "../wire.ts";
import { Age, Duration, Growing, Left, Quantile } from "./amount.tsx";
import { seen } from "./breadth.ts";
import { Confirm } from "./confirm.tsx";
import { Copy } from "./copy.tsx";
import { type Column, Head } from "./head.tsx";
import { type Held, since, useAnswer } from "./hooks.ts";
import { LeftOutcome } from "./left.tsx";
import { Mark, Word } from "./mark.tsx";
import { Name, Outside, Pairs } from "./name.tsx";
import { Status } from "./progress.tsx";
import { still } from "./still.ts";

const NAME: Column = { key: "name", label: "Task", class: "c-task", sortable: true };
const STATE: Column = { key: "state", label: "State", class: "c-state" };
const STATUS: Column = { key: "status", label: "Doing", class: "c-status mid", hint: "What the task reports by set_status and set_progress" };
const WAITS: Column = { key: "waits", label: "Waits for", class: "c-waits mid", hint: "What holds up the stop at this task" };
const LEFT: Column = { key: "left", label: "Left", class: "c-figure c-left", hint: "Estimated until it ends: by its progress, or by tasks of its group" };
const AGE: Column = { key: "age", label: "Age", class: "c-figure c-age", sortable: true, hint: "Since it was spawned" };
const LOCATION: Column = { key: "location", label: "Spawned at", class: "c-location wide" };
const DO: Column = { key: "do", label: "Action", class: "c-do quiet" };

const IN_LIST: Column[] = [
  NAME,
  STATE,
  STATUS,
  AGE,
  { ...LEFT, class: "c-figure c-left mid" },
  { key: "usual", label: "Usually", class: "c-figure wide", hint: "The median of its group's finished tasks" },
  { key: "busy", label: "Busy", class: "c-figure wide", sortable: true, hint: "Time spent inside its polls" },
  { key: "polls", label: "Polls", class: "c-figure wide", sortable: true, hint: "How often it was polled" },
  LOCATION,
];
/** While the process stops, the question is what holds it up. */
const IN_STOP: Column[] = [NAME, STATE, STATUS, WAITS, LEFT, { ...AGE, class: "c-figure c-age mid" }, LOCATION];

interface TaskTableProps {
  rows: Held<Task>[];
  /** When they were read. */
  at: number;
  instance: string | null;
  actions: boolean;
  label: string;
  sort?: string | null;
  order?: Order | null;
  onSort?: (key: string) => void;
  /** How those that left have ended, where known. */
  outcomes?: Map<number, Outcome>;
  /** The names say nothing new under their own group. */
  hideNames?: boolean;
  frozen?: boolean;
  tree?: boolean;
  /** In a stop: how many `Last` tasks wait for. */
  stop?: { others: number };
}

/** What every row of one table shares. */
interface Shared {
  columns: Column[];
  instance: string | null;
  actions: boolean;
  outcomes: Map<number, Outcome> | undefined;
  hideNames: boolean;
  frozen: boolean;
  stop: { others: number } | null;
  tree: boolean;
}

export function TaskTable(props: TaskTableProps) {
  const { rows, at, instance, actions, label, sort = null, order = null, onSort, outcomes, hideNames = false, frozen = false, tree = false, stop = null } = props;
  const timed = rows.some(({ item }) => item.timeout_seconds != null);
  const shared = useMemo<Shared>(() => {
    // Tasks of one group were spawned at one place, which the group names.
    const columns = [...(stop === null ? IN_LIST : IN_STOP).filter((column) => !hideNames || column !== LOCATION), ...(actions ? [DO] : [])];
    return { columns, instance, actions, outcomes, hideNames, frozen, stop, tree };
  }, [stop?.others, instance, actions, outcomes, hideNames, frozen, tree]);
  const drawn = useUnchanged(rows, at);
  return (
    <table class={`table tasks ${stop === null ? "" : "stop"} ${timed ? "timed" : ""}`} aria-label={label}>
      <Head columns={shared.columns} sort={sort} order={order} {...(onSort && { onSort })} />
      <tbody>
        {drawn.map((row) => (
          <Row key={row.task.id} task={row.task} at={row.at} left={row.left} depth={0} shared={shared} />
        ))}
      </tbody>
    </table>
  );
}

/**
 * The tasks as they were drawn, where nothing but time has passed since: their ages count on by themselves,
 * so that such rows cost nothing.
 */
function useUnchanged(rows: Held<Task>[], at: number): { task: Task; at: number; left: boolean }[] {
  const drawn = useRef(new Map<number, { mark: string; task: Task; at: number }>());
  const next = new Map<number, { mark: string; task: Task; at: number }>();
  const all = rows.map(({ item, left }) => {
    const mark = markOf(item);
    const before = drawn.current.get(item.id);
    const passed = before === undefined ? 0 : (at - before.at) / 1_000;
    const counts = (of: (task: Task) => number) => before !== undefined && Math.abs(of(before.task) + passed - of(item)) < 0.4;
    const same = before !== undefined && before.mark === mark && counts((task) => task.age_seconds) && counts((task) => task.state_seconds);
    const kept = same ? before : { mark, task: item, at };
    next.set(item.id, kept);
    return { task: kept.task, at: kept.at, left };
  });
  drawn.current = next;
  return all;
}

/** All of a task but what grows by itself. */
function markOf(task: Task): string {
  const eta = etaOf(task);
  const left = eta === null ? null : text(rough(eta.seconds));
  return JSON.stringify({ ...task, beyond: isBeyond(task), age_seconds: 0, state_seconds: 0, timeout_elapsed_seconds: task.timeout_elapsed_seconds == null ? null : 0, eta_seconds: left });
}

interface RowProps {
  task: Task;
  /** When it was read. */
  at: number;
  left: boolean;
  depth: number;
  shared: Shared;
}

const Row = still<RowProps>(({ task, at, left, depth, shared }) => {
  const { columns, actions, instance, stop } = shared;
  const open = shared.tree && unfolded.value.has(task.id);
  const waits = stop === null ? null : waitsFor(task, stop.others);
  const cell = (column: Column) => <Cell key={column.key} column={column} task={task} at={at} left={left} waits={waits} shared={shared} />;
  return (
    <>
      <tr class={left ? "left" : undefined}>
        <th scope="row" class={`c-task depth-${Math.min(depth, 6)}`}>
          {shared.tree && <Fold task={task} open={open} />}
          <a class="row-link" data-row data-key={`task ${task.id}`} href={link({ view: "task", task: task.id })}>
            <span class="id">#{task.id}</span> {!shared.hideNames && <Name name={task.name} kind={task.kind} />}
          </a>
          {task.on_shutdown !== "wait" && <span class="kind" title="What a stop does with it"> {task.on_shutdown}</span>}
          {!shared.hideNames && <Pairs of={task.labels} />}
          <Pairs of={task.fields} />
          <span class="below">
            {stop !== null && <StateCell task={task} left={left} at={at} shared={shared} />}
            {waits !== null && !left && <span class="waits">{waits}</span>}
            <Status status={task.status} progress={task.progress} />
            {stop === null && !left && etaOf(task) !== null && <span><LeftCell task={task} /> left</span>}
          </span>
        </th>
        {columns.slice(1).map(cell)}
      </tr>
      {open && <Children of={task} depth={depth + 1} shared={{ ...shared, instance, actions }} />}
    </>
  );
});

interface CellProps {
  column: Column;
  task: Task;
  at: number;
  left: boolean;
  waits: string | null;
  shared: Shared;
}

function Cell({ column, task, at, left, waits, shared }: CellProps) {
  const { frozen, instance } = shared;
  return <td class={column.class}>{content()}</td>;

  function content(): ComponentChildren {
    switch (column.key) {
      case "state":
        return <StateCell task={task} left={left} at={at} shared={shared} />;
      case "status":
        return <Status status={task.status} progress={task.progress} />;
      case "waits":
        return !left && waits !== null && <span class={`waits ${task.state === "blocked" ? "stuck" : ""}`} title={waits}><Outside text={waits} /></span>;
      case "left":
        return left ? null : <LeftCell task={task} />;
      case "age":
        return (
          <>
            <Beyond task={task} />
            {left || counts(task) ? null : frozen ? <Age seconds={task.age_seconds} /> : <Growing seconds={task.age_seconds} at={at} />}
            {!left && <Allowed task={task} at={at} frozen={frozen} />}
          </>
        );
      case "usual":
        return <span class="soft"><Quantile of="p50" usual={task.usual} /></span>;
      case "busy":
        return <Duration seconds={task.busy_seconds} />;
      case "polls":
        return count(task.polls);
      case "location":
        return <Location of={task.location} />;
      default:
        return !left && <Cancelling task={task} instance={instance} />;
    }
  }
}

function LeftCell({ task }: { task: Task }) {
  const eta = etaOf(task);
  return <Left seconds={eta?.seconds ?? null} bound={eta?.bound ?? null} />;
}

/** A closure or a poll that nothing can interrupt has no button that would only seem to help. */
function Cancelling({ task, instance }: { task: Task; instance: string | null }) {
  if (!task.cancellable) return null;
  if (task.state === "blocked") return <span class="soft" title="It is inside a poll: a cancel takes effect only when that poll ends">in a poll</span>;
  return <CancelTask task={task} instance={instance} />;
}

interface StateCellProps {
  task: Task;
  left: boolean;
  at: number;
  shared: Shared;
}

function StateCell({ task, left, at, shared: { frozen, instance, outcomes } }: StateCellProps) {
  const outcome = outcomes?.get(task.id);
  if (left) return <LeftOutcome id={task.id} instance={instance} outcome={outcome} />;
  const grown = frozen ? 0 : since(at);
  const long = 1 <= task.state_seconds + grown;
  if (task.overdue === true) {
    return (
      <Word of={task.state}>
        <span class="overdue" title="Its timeout has passed, and it cannot be aborted"><Mark of="warning" />overdue</span>
      </Word>
    );
  }
  return (
    <Word of={task.state}>
      {long && (
        <span class="state-since">
          {" "}
          <Age seconds={task.state_seconds + grown} />
        </span>
      )}
    </Word>
  );
}

/** Whether its timeout has counted since its spawn, so that its age is what is used up of it. */
function counts({ state, age_seconds: age, timeout_seconds: allowed, timeout_elapsed_seconds: elapsed }: Task): boolean {
  return allowed != null && state !== "limited" && Math.abs(age - (elapsed ?? 0)) < 1;
}

/** What is used up of its timeout: `24s of 30s`. */
function Allowed({ task, at, frozen }: { task: Task; at: number; frozen: boolean }) {
  const allowed = task.timeout_seconds ?? null;
  if (allowed === null || task.state === "limited") return null;
  const elapsed = (task.timeout_elapsed_seconds ?? 0) + (frozen ? 0 : since(at));
  return (
    <span class="allowed soft" title={`Its timeout is over ${setting(allowed)} after it was admitted`}>
      {" "}
      {text(age(elapsed))} of {setting(allowed)}
    </span>
  );
}

function isBeyond({ usual, age_seconds: age }: Task): boolean {
  return usual !== null && usual.p99_seconds < age;
}

/** A mark where the task has outlived nearly all of its group. */
function Beyond({ task }: { task: Task }) {
  const { usual } = task;
  if (usual === null || !isBeyond(task)) return null;
  const title = `Longer than 99 % of its group: p99 is ${text(duration(usual.p99_seconds))}`;
  return (
    <span class="beyond" title={title}>
      <Mark of="warning" />
      <span class="unseen">longer than usual</span>
    </span>
  );
}

/** Tasks whose children are shown in the tree. */
const unfolded = signal<ReadonlySet<number>>(new Set());

function fold(id: number): void {
  const next = new Set(unfolded.value);
  if (!next.delete(id)) next.add(id);
  unfolded.value = next;
}

function Fold({ task, open }: { task: Task; open: boolean }) {
  const children = task.children_total ?? 0;
  if (children === 0) return <span class="fold" aria-hidden="true" />;
  return (
    <button type="button" class="fold" data-fold aria-expanded={open} aria-label={`${plural(children, "child", "children")} of #${task.id}`} onClick={() => fold(task.id)}>
      <span class="twist" aria-hidden="true" />
      {count(children)}
    </button>
  );
}

const CHILDREN = 20;

function Children({ of, depth, shared }: { of: Task; depth: number; shared: Shared }) {
  const { answer } = useAnswer<Page<Task>>(`tasks?parent=${of.id}&sort=age&limit=${CHILDREN}`, 2);
  if (answer === null) return <tr class="more-rows"><td colSpan={seen(shared.columns)}>…</td></tr>;
  const { items, total } = answer.value;
  return (
    <>
      {items.map((task) => (
        <Row key={task.id} task={task} at={answer.at} left={false} depth={depth} shared={{ ...shared, instance: answer.instance }} />
      ))}
      {total > items.length && (
        <tr class="more-rows">
          <td colSpan={seen(shared.columns)}>
            {plural(total - items.length, "more child", "more children")} of <a href={link({ view: "task", task: of.id })}>#{of.id}</a>
          </td>
        </tr>
      )}
    </>
  );
}

export function Location({ of }: { of: string }) {
  return (
    <Copy text={of} class="location">
      <bdi dir="ltr">{plain(of)}</bdi>
    </Copy>
  );
}

export function CancelTask({ task, instance }: { task: Task; instance: string | null }) {
  const name = `#${task.id} ${plain(task.name)}`;
  return (
    <Confirm
      label="Cancel"
      of={name}
      verb="Cancel task"
      question={
        <>
          Drops the future of <b>#{task.id}</b> <Outside text={task.name} /> at its next await.
        </>
      }
      done="Cancelled"
      disabled={lost.value}
      run={() => post(`tasks/${task.id}/cancel`, instance)}
      grave
    />
  );
}

/** Where an age stands among the durations of its group: a sentence, and the same as a picture. */
export function Standing({ seconds, usual, group }: { seconds: number; usual: Usual | null; group: Group | null }) {
  if (usual === null) return <p class="soft">{noStanding(group)}</p>;
  const most = Math.max(usual.p99_seconds, seconds) * 1.08;
  const x = (value: number) => (most === 0 ? 0 : (100 * value) / most);
  return (
    <div class="standing">
      <p>{standingOf(seconds, usual)}</p>
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        <rect class="rest" x="0" y="3" width="100" height="4" />
        <rect class="p95" x="0" y="3" width={x(usual.p95_seconds)} height="4" />
        <rect class="p50" x="0" y="3" width={x(usual.p50_seconds)} height="4" />
        <rect class="here" x={Math.max(0, x(seconds) - 0.3)} y="0" width="0.6" height="10" />
      </svg>
      <dl class="inline">
        <div><dt>p50</dt><dd><Quantile of="p50" usual={usual} /></dd></div>
        <div><dt>p95</dt><dd><Quantile of="p95" usual={usual} /></dd></div>
        <div><dt>p99</dt><dd><Quantile of="p99" usual={usual} /></dd></div>
        <div><dt>finished</dt><dd>{count(usual.count)}</dd></div>
      </dl>
    </div>
  );
}

/** Why there is nothing to compare with: too few, or none that came to its end. */
export function noStanding(group: Group | null): string {
  const ends = group === null ? [] : (Object.entries(group.finished) as [Outcome, number][]).filter(([, many]) => 0 < many);
  const total = ends.reduce((sum, [, many]) => sum + many, 0);
  const [only] = ends;
  if (5 <= total && ends.length === 1 && only !== undefined && only[0] !== "ok") return `All ${count(total)} finished tasks of its group ended with ${only[0]}, so there is no usual duration.`;
  if (5 <= total && ends.every(([outcome]) => outcome !== "ok")) return `None of the ${count(total)} finished tasks of its group was ok, so there is no usual duration.`;
  return total === 0 ? "No task of its group has finished yet." : `Only ${plural(total, "task")} of its group ${total === 1 ? "has" : "have"} finished: too few to say how long they usually take.`;
}

export function standingOf(seconds: number, usual: Usual): string {
  if (seconds <= usual.p50_seconds) return "Within what half of its group take.";
  if (seconds <= usual.p95_seconds) return "Longer than half of its group, within the usual.";
  if (seconds <= usual.p99_seconds) return "Longer than 95 % of its group.";
  const times = usual.p99_seconds > 0 ? seconds / usual.p99_seconds : 0;
  return times < 1.5 ? "Longer than 99 % of its group." : `${times < 10 ? times.toFixed(1) : count(times)} times its group's p99.`;
}
