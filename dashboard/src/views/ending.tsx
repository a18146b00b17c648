// The end of a stop: what the report names, where it is kept, and how it is handed on.

import { exportPage } from "../export.ts";
import { count, inWords, plain, plural } from "../format.ts";
import type { Kept } from "../memory.ts";
import { Duration } from "../parts/amount.tsx";
import { Copy } from "../parts/copy.tsx";
import { Word } from "../parts/mark.tsx";
import { Name, Pairs } from "../parts/name.tsx";
import { Status } from "../parts/progress.tsx";
import { Location } from "../parts/tasks.tsx";
import { link, OUTCOMES } from "../place.ts";
import type { Report, ReportTask, Shutdown } from "../wire.ts";
import { tallyOf } from "./verdict.ts";

const NAMED = 100;

/** What became of the tasks: one word each, the same as anywhere on the page. */
export function Left({ report, stop }: { report: Report; stop: Shutdown | null }) {
  const { abandoned, running } = tallyOf(stop, report);
  return (
    <>
      <dl class="inline facts verdicts">
        {OUTCOMES.filter((outcome) => outcome !== "abandoned").map((outcome) => (
          <div key={outcome} class={(report.ended[outcome] ?? 0) === 0 ? "zero" : undefined}><dt><Word of={outcome} /></dt><dd>{count(report.ended[outcome] ?? 0)}</dd></div>
        ))}
        <div class={abandoned === 0 ? "zero" : "bad"}><dt><Word of="abandoned" /></dt><dd>{count(abandoned)}</dd></div>
        {running > 0 && <div class="bad"><dt>of these still running when the process left</dt><dd>{count(running)}</dd></div>}
        {(report.connections_closed ?? 0) > 0 && <div><dt>connections closed</dt><dd>{count(report.connections_closed ?? 0)}</dd></div>}
        {(report.untracked ?? 0) > 0 && <div><dt title="Alive at the end, approximately">untracked</dt><dd>{count(report.untracked ?? 0)}</dd></div>}
        <div class={report.late_spawns === 0 ? "zero" : undefined}>
          <dt>spawned late</dt>
          <dd>{count(report.late_spawns)}{(report.refused_spawns ?? 0) > 0 && <span class="soft">, {count(report.refused_spawns ?? 0)} refused</span>}</dd>
        </div>
      </dl>
      {report.abandoned_total > 0 && <Named title="Abandoned" tasks={report.abandoned} total={report.abandoned_total} why={(task) => reasonOf(task, report)} />}
      {report.detached_total > 0 && <Named title={`Detached and not waited for: ${plural(report.detached_total, "task")}`} tasks={report.detached} total={report.detached_total} why={({ reason }) => reason ?? "ran on until the process left"} />}
    </>
  );
}

/** Why a task was abandoned: the server's words, else what the report says of all. */
export function reasonOf(task: ReportTask, report: Report): string {
  if (task.reason != null) return inWords(task.reason);
  if (!task.aborted) return task.kind === "blocking" ? "still running: a closure cannot be aborted" : "still running: inside a poll";
  if (report.result === "forced") return `cut by ${plain(report.forced_by ?? "a force")}`;
  return report.result === "deadline" ? "cut by the deadline" : "its grace ran out";
}

function Named({ title, tasks, total, why }: { title: string; tasks: ReportTask[]; total: number; why: (task: ReportTask) => string }) {
  const shown = tasks.slice(0, NAMED);
  return (
    <section class="named">
      <h2>{title}</h2>
      <table class="table" aria-label={title}>
        <thead>
          <tr><th scope="col" class="c-task">Task</th><th scope="col" class="c-figure">Age</th><th scope="col" class="c-status mid">Was doing</th><th scope="col" class="c-end mid">Why</th><th scope="col" class="c-location wide">Spawned at</th></tr>
        </thead>
        <tbody>
          {shown.map((task) => (
            <tr key={task.id}>
              <th scope="row" class="c-task">
                <span class="id">#{task.id}</span> <Name name={task.name} labels={task.labels} kind={task.kind} /><Pairs of={task.fields} />
                <span class="below"><span>{why(task)}</span><Status status={task.status} progress={task.progress} /></span>
              </th>
              <td class="c-figure"><Duration seconds={task.age_seconds} /></td>
              <td class="c-status mid"><Status status={task.status} progress={task.progress} /></td>
              <td class="c-end mid" title={why(task)}>{why(task)}</td>
              <td class="c-location wide"><Location of={task.location} /></td>
            </tr>
          ))}
        </tbody>
      </table>
      {total > shown.length && <p class="rest">…and {count(total - shown.length)} more, in the JSON as far as the report lists them</p>}
    </section>
  );
}

/** The ways to hand the end on: its address, a file, its data. */
export function EndActions({ of, whole }: { of: Kept; whole: Report | null }) {
  const data = whole ?? of.report ?? of;
  return (
    <span class="end-actions">
      <a class="button" href={link({ view: "end", in: of.instance.slice(0, 6) })}>Link to this end</a>
      <button type="button" class="button" onClick={() => exportPage(of, data)}>Save as HTML</button>
      <Copy text={JSON.stringify(data, null, 2)} class="button">Copy as JSON</Copy>
    </span>
  );
}
