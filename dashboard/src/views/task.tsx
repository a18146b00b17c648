import { useEffect } from "preact/hooks";
import { age, count, estimate, plain, plainLines, plural, setting, text } from "../format.ts";
import { nameTask } from "../live.ts";
import { etaOf, waitsFor } from "../outlook.ts";
import { Duration, Growing } from "../parts/amount.tsx";
import { AttentionLine } from "../parts/attention.tsx";
import { ALLOW, Empty, Skeleton } from "../parts/empty.tsx";
import { since, useAnswer } from "../parts/hooks.ts";
import { Word } from "../parts/mark.tsx";
import { Name, Outside } from "../parts/name.tsx";
import { Status } from "../parts/progress.tsx";
import { Where } from "../parts/stack.tsx";
import { CancelTask, Location, Standing, TaskTable } from "../parts/tasks.tsx";
import { Time } from "../parts/time.tsx";
import { Trace } from "../parts/trace.tsx";
import { link, place } from "../place.ts";
import { groups, mayCancel, summary } from "../store.ts";
import type { Group, OnShutdown, TaskDetail, TaskRef } from "../wire.ts";

const AT_SHUTDOWN: Record<OnShutdown, string> = {
  wait: "waited for",
  cancel: "cancelled at once",
  last: "notified when every other task has ended",
  connection: "notified, then closed after a short grace",
  detach: "reported and not waited for",
};

export function OneTask() {
  const id = place.value.task;
  const { answer, problem } = useAnswer<TaskDetail>(id === null ? null : `tasks/${id}`, 1, hasEnded);
  const task = answer?.value ?? null;
  useEffect(() => {
    nameTask(task === null ? null : `#${task.id} ${plain(task.name)}`);
    return () => nameTask(null);
  }, [task?.id, task?.name]);
  if (problem !== null && answer === null) return <Unknown id={id} detail={problem.status === 404 ? null : problem.detail} />;
  if (answer === null) return <Skeleton rows={8} />;
  const dropped = problem !== null;
  // Nothing is known any more of what it left alive.
  const shown = dropped ? { ...answer.value, children: [], children_total: 0 } : answer.value;
  return <Detail task={shown} at={answer.at} instance={answer.instance} dropped={dropped} />;
}

export function hasEnded({ outcome }: TaskDetail): boolean {
  return outcome !== null;
}

function Unknown({ id, detail }: { id: number | null; detail: string | null }) {
  return (
    <Empty heading title={detail ?? `Task #${id} is not alive, and the history does not hold it any more.`}>
      <p><a href={link({ view: "tasks" })}>Live tasks</a> · <a href={link({ view: "finished" })}>Finished tasks</a></p>
    </Empty>
  );
}

/** `dropped`: the history does not hold it any more. */
function Detail({ task, at, instance, dropped }: { task: TaskDetail; at: number; instance: string | null; dropped: boolean }) {
  const alive = task.outcome === null;
  const grown = alive ? since(at) : 0;
  const lived = task.duration_seconds ?? task.age_seconds + grown;
  const eta = alive ? etaOf(task) : null;
  return (
    <article class="one">
      <AttentionLine except={task.id} />
      <header class="one-head">
        <h1><span class="id">#{task.id}</span> <Name name={task.name} labels={task.labels} kind={task.kind} /></h1>
        <span class="one-do"><Act task={task} instance={instance} alive={alive} /></span>
      </header>
      <div class="one-now">
        <p class="one-state">
          {task.outcome === null ? (
            <Word of={task.state}> <StateSince task={task} at={at} /></Word>
          ) : (
            <Word of={task.outcome} />
          )}
          <span class="one-age">{alive ? "alive for " : "took "}{alive ? <Growing seconds={task.age_seconds} at={at} /> : <Duration seconds={lived} />}</span>
          {eta !== null && <span>{estimate(eta.seconds, eta.bound)} left</span>}
          <Status status={task.status} progress={task.progress} />
        </p>
        {alive && task.state === "blocked" && <Blocked task={task} grown={grown} />}
        {dropped && <p class="soft">The history does not hold it any more. This is how it ended.</p>}
        {task.message !== null && <pre class="message-block" tabIndex={0} role="region" aria-label="Message"><bdi>{plainLines(task.message)}</bdi></pre>}
      </div>
      <div class="one-columns">
        <section>
          <h2>Beside its group</h2>
          <Standing seconds={lived} usual={task.usual} group={groupOf(task)} />
          <h2>Facts</h2>
          <FactList task={task} alive={alive} />
        </section>
        <section>
          <h2>Family</h2>
          <Family task={task} alive={alive} />
          <h2>Status history</h2>
          <History task={task} alive={alive} />
        </section>
      </div>
      {canWait(task) && <Where id={task.id} instance={instance} alive={alive} />}
      {task.children.length > 0 && <Offspring task={task} at={at} instance={instance} />}
    </article>
  );
}

/** A closure waits at no await. */
function canWait({ kind }: TaskDetail): boolean {
  return kind !== "blocking";
}

/** Why it is stuck, what that holds up, and what helps. */
function Blocked({ task, grown }: { task: TaskDetail; grown: number }) {
  return (
    <div class="explained">
      <p>
        <b>It has been inside one poll for {text(age(task.state_seconds + grown))} and holds a worker thread.</b> Nothing can interrupt a poll from outside: a cancel or
        the abort of a stop takes effect only when that poll ends.
      </p>
      <p>
        Look for a blocking call behind <Location of={task.location} />: a lock, <code>std::thread::sleep</code>, file or database access, a long computation. It belongs in <code>spawn_blocking</code>.
      </p>
    </div>
  );
}

/** For how long, where neither its age nor the explanation of a blocked task says the same. */
function StateSince({ task, at }: { task: TaskDetail; at: number }) {
  if (task.state === "blocked") return null;
  if (Math.abs(task.age_seconds - task.state_seconds) < 1) return <span class="state-since">since its spawn</span>;
  return <span class="state-since">for <Growing seconds={task.state_seconds} at={at} /></span>;
}

function groupOf(task: TaskDetail): Group | null {
  const labels = JSON.stringify(task.labels);
  const found = groups.value.filter((group) => group.name === task.name && group.kind === task.kind && group.location === task.location);
  return found.find((group) => JSON.stringify(group.labels) === labels) ?? null;
}

function Act({ task, instance, alive }: { task: TaskDetail; instance: string | null; alive: boolean }) {
  if (!alive) return null;
  if (!task.cancellable) return <span class="soft">It cannot be cancelled: it is {cannot(task)}.</span>;
  if (task.state === "blocked") return <span class="soft">No cancel while it is inside a poll.</span>;
  if (mayCancel.value) return <CancelTask task={task} instance={instance} />;
  return <span class="soft">This page may not cancel it: <code>{ALLOW}</code> permits it.</span>;
}

function cannot(task: TaskDetail): string {
  if (task.kind === "blocking") return "a running closure";
  if (task.kind === "request") return "a request";
  return task.kind === "future" ? "a future inside another task" : "past its end";
}

function FactList({ task, alive }: { task: TaskDetail; alive: boolean }) {
  const pairs = [...Object.entries(task.labels), ...Object.entries(task.fields)];
  return (
    <dl class="facts-list">
      <dt>Spawned</dt><dd><Time at={task.started_at} millis /></dd>
      {task.finished_at !== null && <><dt>Ended</dt><dd><Time at={task.finished_at} millis /></dd></>}
      <dt>Spawned at</dt><dd><Location of={task.location} /></dd>
      <dt>Busy</dt><dd><Duration seconds={task.busy_seconds} /> in {count(task.polls)} polls</dd>
      {task.timeout_seconds != null && <><dt>Timeout</dt><dd><Timeout task={task} alive={alive} /></dd></>}
      {alive && (
        <>
          <dt>In a stop</dt>
          <dd>{AT_SHUTDOWN[task.on_shutdown]}{task.grace_seconds !== null && <>, with a grace of <Duration seconds={task.grace_seconds} /></>}{summary.value?.shutdown != null && <Waiting task={task} />}</dd>
        </>
      )}
      {task.trace_id != null && <><dt>Trace</dt><dd><Trace id={task.trace_id} /></dd></>}
      {pairs.map(([key, value]) => (
        <><dt><Outside text={key} /></dt><dd><Outside text={value} class="value" /></dd></>
      ))}
    </dl>
  );
}

/** `running 24 s of 30 s`, and what that means. */
function Timeout({ task, alive }: { task: TaskDetail; alive: boolean }) {
  const allowed = setting(task.timeout_seconds ?? null);
  if (!alive) return <>{allowed}</>;
  if (task.state === "limited") return <>{allowed}, from when it is admitted</>;
  return (
    <>
      running <Duration seconds={task.timeout_elapsed_seconds ?? null} /> of {allowed}
      {task.overdue === true && <b> overdue: it cannot be aborted</b>}
    </>
  );
}

function Waiting({ task }: { task: TaskDetail }) {
  const waits = waitsFor(task, Math.max(0, (summary.value?.shutdown?.pending ?? 1) - 1));
  return waits === null ? null : <span class="soft"> ({plain(waits)})</span>;
}

/** Ancestors from the farthest down to this task. */
function Family({ task, alive }: { task: TaskDetail; alive: boolean }) {
  const children = task.children_total ?? 0;
  if (task.ancestors.length === 0 && children === 0) {
    return <p class="soft">Spawned outside of any tracked task. {alive ? "It has no live children." : "None of its children is alive."}</p>;
  }
  return (
    <ul class="tree">
      {task.ancestors.toReversed().map((ancestor, depth) => (
        <li key={ancestor.id} class={`depth-${Math.min(depth, 5)}`}><Relative of={ancestor} /></li>
      ))}
      <li class={`depth-${Math.min(task.ancestors.length, 5)} self`} aria-current="true">
        <span class="id">#{task.id}</span> <Outside text={task.name} class="given" />
      </li>
      {children > 0 && <li class={`depth-${Math.min(task.ancestors.length + 1, 6)} soft`}>{plural(children, "live child", "live children")}, below</li>}
    </ul>
  );
}

/** Its children as a tree of their own. */
function Offspring({ task, at, instance }: { task: TaskDetail; at: number; instance: string | null }) {
  const more = (task.children_total ?? 0) - task.children.length;
  return (
    <section class="offspring">
      <h2>Live children</h2>
      <TaskTable rows={task.children.map((item) => ({ item, left: false }))} at={at} instance={instance} actions={mayCancel.value} label="Live children" tree />
      {more > 0 && <p class="rest">…and {count(more)} more</p>}
    </section>
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

function History({ task, alive }: { task: TaskDetail; alive: boolean }) {
  if (task.status_history.length === 0) {
    if (!alive) return <p class="soft">It set no status.</p>;
    return <p class="soft">No status yet. Inside the task, <code>headcount::current()</code> gives a handle with <code>set_status</code> and <code>set_progress</code>.</p>;
  }
  return (
    <ol class="history">
      {task.status_history.toReversed().map(({ at, status }, index) => (
        <li key={`${at} ${index}`}>
          <Time at={at} /> <bdi>{plain(status)}</bdi>
        </li>
      ))}
    </ol>
  );
}
