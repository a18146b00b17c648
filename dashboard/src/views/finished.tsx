import { clock, count, plain, plainLines, plural } from "../format.ts";
import { Duration } from "../parts/amount.tsx";
import { seen } from "../parts/breadth.ts";
import { Choice } from "../parts/controls.tsx";
import { Empty } from "../parts/empty.tsx";
import { type Column, Head } from "../parts/head.tsx";
import { useAnswer, useHeld, useHold } from "../parts/hooks.ts";
import { Listing, pagePath } from "../parts/listing.tsx";
import { Mark, Word } from "../parts/mark.tsx";
import { Name, Pairs } from "../parts/name.tsx";
import { Location, standingOf } from "../parts/tasks.tsx";
import { adjust, link, OUTCOMES, place } from "../place.ts";
import { summary } from "../store.ts";
import type { FinishedTask, Page } from "../wire.ts";
import { GroupChip } from "./tasks.tsx";

const COLUMNS: Column[] = [
  { key: "at", label: "At", class: "c-clock" },
  { key: "name", label: "Task", class: "c-task" },
  { key: "outcome", label: "Outcome", class: "c-outcome" },
  { key: "duration", label: "Took", class: "c-figure", hint: "From spawn to end" },
  { key: "usual", label: "Usually", class: "c-figure wide", hint: "The median of its group's finished tasks" },
  { key: "message", label: "Message", class: "c-message mid", hint: "The text of the error or panic" },
];

export function Finished() {
  const { q, outcome, group, cursor } = place.value;
  const path = pagePath("finished", { outcome, q, group, cursor });
  const asked = useAnswer<Page<FinishedTask>>(path);
  const { held, hold } = useHold();
  const rows = useHeld(asked.answer?.value.items ?? [], held, asked.path);
  const totals = summary.value?.finished;
  return (
    <>
      <div class="controls">
        <Choice label="Outcome" all="any outcome" of={OUTCOMES} value={outcome} mark={(one) => <Mark of={one} />} onChoose={(one) => adjust({ outcome: one, cursor: null, from: null, open: null })} />
        <GroupChip />
        <span class="total">
          {asked.answer !== null && totals !== undefined && (
            <>{count(asked.answer.value.total)} remembered <span class="soft">of {count(Object.values(totals).reduce((sum, each) => sum + each, 0))} finished</span></>
          )}
        </span>
      </div>
      <Listing asked={asked} shown={rows.length} none={<NoneFinished q={q} narrowed={q !== "" || outcome !== null || group !== null} />}>
        {() => (
          <table class={`table finished ${asked.path === path ? "" : "stale"}`} aria-label="Finished tasks" {...hold}>
            <Head columns={COLUMNS} sort={null} order={null} />
            <tbody>
              {rows.map(({ item }) => (
                <FinishedRow key={item.id} task={item} />
              ))}
            </tbody>
          </table>
        )}
      </Listing>
    </>
  );
}

function FinishedRow({ task }: { task: FinishedTask }) {
  const open = place.value.open === task.id;
  const toggle = () => adjust({ open: open ? null : task.id });
  return (
    <>
      <tr class={open ? "open" : undefined}>
        <td class="c-clock">{clock(task.finished_at)}</td>
        <th scope="row" class="c-task">
          <button type="button" class="row-link" data-row aria-expanded={open} onClick={toggle}>
            <span class="twist" aria-hidden="true" />
            <span class="id">#{task.id}</span> <Name name={task.name} labels={task.labels} kind={task.kind} />
          </button>
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
      {task.message !== null && <pre class="message-block"><bdi>{plainLines(task.message)}</bdi></pre>}
      <dl class="inline facts">
        {task.usual !== null && <div><dt>took</dt><dd>{standingOf(task.duration_seconds, task.usual)}</dd></div>}
        <div><dt>busy</dt><dd><Duration seconds={task.busy_seconds} /></dd></div>
        <div><dt>polls</dt><dd>{count(task.polls)}</dd></div>
        {task.status !== null && <div><dt>last status</dt><dd><bdi>{`“${plain(task.status)}”`}</bdi></dd></div>}
        {Object.keys(task.fields).length > 0 && <div><dt>fields</dt><dd><Pairs of={task.fields} /></dd></div>}
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
      <p>The search looks at name, labels, fields, status, location, outcome and message, among the tasks that are remembered.</p>
    </Empty>
  );
}
