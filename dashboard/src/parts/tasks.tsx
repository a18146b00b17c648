// Tasks as rows: in the list, under their group, and while the process stops.

import { post } from "../api.ts";
import { count, duration, plain, text } from "../format.ts";
import { link } from "../place.ts";
import type { Outcome, Task, Usual } from "../wire.ts";
import { Age, Duration } from "./amount.tsx";
import { Confirm } from "./confirm.tsx";
import { Copy } from "./copy.tsx";
import type { Column } from "./head.tsx";
import { Head } from "./head.tsx";
import { type Held, since } from "./hooks.ts";
import { Mark, Word } from "./mark.tsx";
import { Name, Outside, Pairs } from "./name.tsx";
import { Status } from "./progress.tsx";
import type { Order } from "../place.ts";

export const TASK_COLUMNS: Column[] = [
  { key: "name", label: "Task", class: "c-task", sortable: true },
  { key: "state", label: "State", class: "c-state" },
  { key: "status", label: "Doing", class: "c-status mid", hint: "What the task says of itself, by set_status and set_progress" },
  { key: "age", label: "Age", class: "c-figure c-age", sortable: true, hint: "Since it was spawned" },
  { key: "usual", label: "Usually", class: "c-figure mid", hint: "The median of its group's finished tasks" },
  { key: "busy", label: "Busy", class: "c-figure wide", sortable: true, hint: "Time spent inside its polls" },
  { key: "polls", label: "Polls", class: "c-figure wide", sortable: true, hint: "How often it was polled" },
  { key: "location", label: "Spawned at", class: "c-location wide" },
];

const DO: Column = { key: "do", label: "Action", class: "c-do quiet" };

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
}

export function TaskTable(props: TaskTableProps) {
  const { rows, at, instance, actions, label, sort = null, order = null, onSort, outcomes, hideNames = false, frozen = false } = props;
  const grown = frozen ? 0 : since(at);
  return (
    <table class="table tasks" aria-label={label}>
      <Head columns={actions ? [...TASK_COLUMNS, DO] : TASK_COLUMNS} sort={sort} order={order} {...(onSort && { onSort })} />
      <tbody>
        {rows.map(({ item, left }) => (
          <tr key={item.id} class={left ? "left" : undefined}>
            <th scope="row" class="c-task">
              <a class="row-link" data-row href={link({ view: "task", task: item.id })}>
                <span class="id">#{item.id}</span> {!hideNames && <Name name={item.name} kind={item.kind} />}
              </a>
              {!hideNames && <Pairs of={item.labels} />}
              <Pairs of={item.fields} />
              <span class="below">
                <Status status={item.status} progress={item.progress} />
              </span>
            </th>
            <td class="c-state">
              <StateCell task={item} left={left} grown={grown} outcome={outcomes?.get(item.id)} />
            </td>
            <td class="c-status mid">
              <span class="status">
                {item.state === "blocked" && !left && <span class="stuck">has not yielded</span>}
                <Status status={item.status} progress={item.progress} />
              </span>
            </td>
            <td class="c-figure c-age">
              <Beyond task={item} />
              <Age seconds={item.age_seconds + (left ? 0 : grown)} />
            </td>
            <td class="c-figure mid soft">{item.usual === null ? <Age seconds={null} /> : <Duration seconds={item.usual.p50_seconds} />}</td>
            <td class="c-figure wide">
              <Duration seconds={item.busy_seconds} />
            </td>
            <td class="c-figure wide">{count(item.polls)}</td>
            <td class="c-location wide">
              <Location of={item.location} />
            </td>
            {actions && <td class="c-do">{!left && item.cancellable && <CancelTask task={item} instance={instance} />}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function StateCell({ task, left, grown, outcome }: { task: Task; left: boolean; grown: number; outcome: Outcome | undefined }) {
  if (left) return outcome === undefined ? <span class="word soft">ended</span> : <Word of={outcome} />;
  return (
    <Word of={task.state}>
      {1 <= task.state_seconds + grown && (
        <span class="state-since">
          {" "}
          <Age seconds={task.state_seconds + grown} />
        </span>
      )}
    </Word>
  );
}

/** A word where the task has outlived nearly all of its group. */
function Beyond({ task }: { task: Task }) {
  const { usual } = task;
  if (usual === null || task.age_seconds <= usual.p99_seconds) return null;
  const title = `Longer than 99 % of its group: p99 is ${text(duration(usual.p99_seconds))}`;
  return (
    <span class="beyond" title={title}>
      <Mark of="warning" />
      <span class="unseen">longer than usual</span>
    </span>
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
      run={() => post(`tasks/${task.id}/cancel`, instance)}
      grave
    />
  );
}

/** Where an age stands among the durations of its group: a sentence, and the same as a picture. */
export function Standing({ seconds, usual }: { seconds: number; usual: Usual | null }) {
  if (usual === null) return <p class="soft">Too few tasks of its group have finished to say how long they usually take.</p>;
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
        <div><dt>p50</dt><dd><Duration seconds={usual.p50_seconds} /></dd></div>
        <div><dt>p95</dt><dd><Duration seconds={usual.p95_seconds} /></dd></div>
        <div><dt>p99</dt><dd><Duration seconds={usual.p99_seconds} /></dd></div>
        <div><dt>finished</dt><dd>{count(usual.count)}</dd></div>
      </dl>
    </div>
  );
}

export function standingOf(seconds: number, usual: Usual): string {
  if (seconds <= usual.p50_seconds) return "Within what half of its group take.";
  if (seconds <= usual.p95_seconds) return "Longer than half of its group, within the usual.";
  if (seconds <= usual.p99_seconds) return "Longer than 95 % of its group.";
  const times = usual.p99_seconds > 0 ? seconds / usual.p99_seconds : 0;
  return times < 1.5 ? "Longer than 99 % of its group." : `${times < 10 ? times.toFixed(1) : count(times)} times its group's p99.`;
}
