import { clock, count, plain, plainLines } from "../format.ts";
import { Age, Duration } from "../parts/amount.tsx";
import { ALLOW, Empty, Skeleton } from "../parts/empty.tsx";
import { since, useAnswer } from "../parts/hooks.ts";
import { Word } from "../parts/mark.tsx";
import { Name, Outside } from "../parts/name.tsx";
import { Status } from "../parts/progress.tsx";
import { CancelTask, Location, Standing } from "../parts/tasks.tsx";
import { link, place } from "../place.ts";
import { summary } from "../store.ts";
import type { OnShutdown, TaskDetail, TaskRef } from "../wire.ts";

const AT_SHUTDOWN: Record<OnShutdown, string> = {
  wait: "is waited for",
  cancel: "is aborted at once",
  last: "is told when nothing else is waited for",
  detach: "is reported and not waited for",
};

export function OneTask() {
  const id = place.value.task;
  const { answer, problem } = useAnswer<TaskDetail>(id === null ? null : `tasks/${id}`);
  if (problem !== null) return <Unknown id={id} detail={problem.status === 404 ? null : problem.detail} />;
  if (answer === null) return <Skeleton rows={8} />;
  return <Detail task={answer.value} at={answer.at} instance={answer.instance} />;
}

function Unknown({ id, detail }: { id: number | null; detail: string | null }) {
  return (
    <Empty title={detail ?? `Task #${id} is not alive, and the history does not hold it any more.`}>
      <p><a href={link({ view: "tasks" })}>Live tasks</a> · <a href={link({ view: "finished" })}>Finished tasks</a></p>
    </Empty>
  );
}

function Detail({ task, at, instance }: { task: TaskDetail; at: number; instance: string | null }) {
  const alive = task.outcome === null;
  const grown = alive ? since(at) : 0;
  const lived = task.duration_seconds ?? task.age_seconds + grown;
  return (
    <article class="one">
      <header class="one-head">
        <h1><span class="id">#{task.id}</span> <Name name={task.name} labels={task.labels} kind={task.kind} /></h1>
        <span class="one-do"><Act task={task} instance={instance} alive={alive} /></span>
      </header>
      <div class="one-now">
        <p class="one-state">
          {task.outcome === null ? (
            <Word of={task.state}> <span class="state-since">for <Age seconds={task.state_seconds + grown} /></span></Word>
          ) : (
            <Word of={task.outcome} />
          )}
          <span class="one-age">{alive ? "alive for " : "took "}{alive ? <Age seconds={lived} /> : <Duration seconds={lived} />}</span>
          <Status status={task.status} progress={task.progress} />
        </p>
        {task.message !== null && <pre class="message-block"><bdi>{plainLines(task.message)}</bdi></pre>}
      </div>
      <div class="one-columns">
        <section>
          <h2>Beside its group</h2>
          <Standing seconds={lived} usual={task.usual} />
          <h2>Facts</h2>
          <FactList task={task} />
        </section>
        <section>
          <h2>Family</h2>
          <Family task={task} />
          <h2>What it said</h2>
          <History task={task} />
        </section>
      </div>
    </article>
  );
}

function Act({ task, instance, alive }: { task: TaskDetail; instance: string | null; alive: boolean }) {
  if (!alive) return null;
  if (!task.cancellable) return <span class="soft">Not ours to cancel: it is {cannot(task)}.</span>;
  if (summary.value?.actions === true) return <CancelTask task={task} instance={instance} />;
  return <span class="soft">Read-only: <code>{ALLOW}</code> allows to cancel.</span>;
}

function cannot(task: TaskDetail): string {
  if (task.kind === "blocking") return "a running closure";
  if (task.kind === "request") return "a request";
  return task.kind === "future" ? "a future inside another task" : "past its end";
}

function FactList({ task }: { task: TaskDetail }) {
  const pairs = [...Object.entries(task.labels), ...Object.entries(task.fields)];
  return (
    <dl class="facts-list">
      <dt>Spawned</dt><dd>{clock(task.started_at)}</dd>
      {task.finished_at !== null && <><dt>Ended</dt><dd>{clock(task.finished_at)}</dd></>}
      <dt>Spawned at</dt><dd><Location of={task.location} /></dd>
      <dt>Busy</dt><dd><Duration seconds={task.busy_seconds} /> in {count(task.polls)} polls</dd>
      <dt>At shutdown</dt>
      <dd>{AT_SHUTDOWN[task.on_shutdown]}{task.grace_seconds !== null && <>, with a grace of <Duration seconds={task.grace_seconds} /></>}</dd>
      {pairs.map(([key, value]) => (
        <><dt><Outside text={key} /></dt><dd><Outside text={value} class="value" /></dd></>
      ))}
    </dl>
  );
}

/** Ancestors from the farthest down to this task, then its children. */
function Family({ task }: { task: TaskDetail }) {
  if (task.ancestors.length === 0 && task.children_total === 0) {
    return <p class="soft">Spawned outside of any tracked task, and it has spawned none that lives.</p>;
  }
  const more = task.children_total - task.children.length;
  return (
    <ul class="tree">
      {task.ancestors.toReversed().map((ancestor, depth) => (
        <li key={ancestor.id} class={`depth-${Math.min(depth, 5)}`}><Relative of={ancestor} /></li>
      ))}
      <li class={`depth-${Math.min(task.ancestors.length, 5)} self`} aria-current="true">
        <span class="id">#{task.id}</span> <Outside text={task.name} class="given" />
      </li>
      {task.children.map((child) => (
        <li key={child.id} class={`depth-${Math.min(task.ancestors.length + 1, 6)}`}>
          <Relative of={{ id: child.id, name: child.name, state: child.state, outcome: null }} />{" "}
          <span class="soft"><Age seconds={child.age_seconds} /></span>
        </li>
      ))}
      {more > 0 && <li class={`depth-${Math.min(task.ancestors.length + 1, 6)} soft`}>and {count(more)} more</li>}
    </ul>
  );
}

function Relative({ of }: { of: TaskRef }) {
  const known = of.outcome ?? of.state;
  return (
    <>
      <a href={link({ view: "task", task: of.id })}>
        <span class="id">#{of.id}</span> {of.name === null ? <span class="soft">no longer remembered</span> : <Outside text={of.name} class="given" />}
      </a>{" "}
      {known !== null && <Word of={known} />}
    </>
  );
}

function History({ task }: { task: TaskDetail }) {
  if (task.status_history.length === 0) {
    return <p class="soft">Nothing yet. Inside the task, <code>headcount::current()</code> gives a handle with <code>set_status</code> and <code>set_progress</code>.</p>;
  }
  return (
    <ol class="history">
      {task.status_history.toReversed().map(({ at, status }, index) => (
        <li key={`${at} ${index}`}>
          <time dateTime={at}>{clock(at)}</time> <bdi>{plain(status)}</bdi>
        </li>
      ))}
    </ol>
  );
}
