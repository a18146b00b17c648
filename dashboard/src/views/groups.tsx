import { useEffect, useMemo } from "preact/hooks";
import { clock, count, plain, plural } from "../format.ts";
import { loadOtherGroups } from "../live.ts";
import { Age, Duration, Rate, Share, Short } from "../parts/amount.tsx";
import { seen } from "../parts/breadth.ts";
import { Code, Empty, Skeleton } from "../parts/empty.tsx";
import { type Column, Head } from "../parts/head.tsx";
import { since, useAnswer, useHeld, useHold } from "../parts/hooks.ts";
import { Mark, Word } from "../parts/mark.tsx";
import { Name, Outside } from "../parts/name.tsx";
import { Spark } from "../parts/spark.tsx";
import { Strip } from "../parts/strip.tsx";
import { Location, TaskTable } from "../parts/tasks.tsx";
import { adjust, link, OUTCOMES, place } from "../place.ts";
import { groups, summary, summaryAt, trend, trendVersion } from "../store.ts";
import type { Group, Page, Task } from "../wire.ts";
import { filterGroups, nextSort, sortGroups } from "./sorting.ts";

const COLUMNS: Column[] = [
  { key: "name", label: "Group", class: "c-group", sortable: true },
  { key: "live", label: "Live", class: "c-figure", sortable: true, hint: "Tasks alive now" },
  { key: "rate", label: "Rate", class: "c-figure mid", sortable: true, hint: "Finished per second, over the last 10 seconds" },
  { key: "p50", label: "p50", class: "c-figure wide", sortable: true, hint: "Half of the finished tasks took at most this long" },
  { key: "p95", label: "p95", class: "c-figure mid", sortable: true, hint: "95 % of the finished tasks took at most this long" },
  { key: "p99", label: "p99", class: "c-figure wide", sortable: true, hint: "99 % of the finished tasks took at most this long" },
  { key: "busy", label: "Busy", class: "c-figure mid", sortable: true, hint: "Share of all workers' time that its polls took, over the last 10 seconds; blocking closures have threads of their own" },
  { key: "failed", label: "Failed", class: "c-figure mid", sortable: true, hint: "Share of what finished in the last minute that ended in error or panic" },
  { key: "oldest", label: "Oldest", class: "c-figure", sortable: true, hint: "Age of the oldest live task" },
  { key: "trend", label: "10 min", class: "c-spark mid", hint: "Live tasks over the last ten minutes" },
];

const SHOWN = 8;
const EVERY_OTHER = 5_000;

export function Groups() {
  return (
    <>
      <Strip />
      <GroupTable />
    </>
  );
}

function GroupTable() {
  const { q, sort, order } = place.value;
  const { held, hold } = useHold();
  useOtherGroups();
  const all = groups.value;
  const found = useMemo(() => sortGroups(filterGroups(all, q), sort, order), [all, q, sort, order]);
  const rows = useHeld(found, held, `${q} ${sort} ${order}`);
  if (summary.value === null) return <Skeleton />;
  if (all.length === 0) return <FirstSpawn />;
  if (rows.length === 0) return <Empty title={`No group has “${plain(q)}” in its name, labels, kind or location.`} />;
  const twice = namesakes(all);
  return (
    <table class="table groups" aria-label="Groups" {...hold}>
      <Head columns={COLUMNS} sort={sort} order={order ?? "desc"} onSort={(key) => adjust(nextSort(place.value, key))} />
      <tbody>
        {rows.map(({ item }) => (
          <GroupRow key={item.id} group={item} placed={twice.has(titleOf(item))} />
        ))}
      </tbody>
    </table>
  );
}

/** Where the events leave groups out, the rest is read now and then, while this table is seen. */
function useOtherGroups(): void {
  const heard = summary.value?.groups.length ?? 0;
  const missing = heard < (summary.value?.groups_total ?? 0);
  useEffect(() => {
    if (!missing) return;
    void loadOtherGroups();
    const timer = setInterval(() => {
      if (document.visibilityState !== "hidden") void loadOtherGroups();
    }, EVERY_OTHER);
    return () => clearInterval(timer);
  }, [missing]);
}

/** What groups that differ in their location alone are called. */
function namesakes(all: Group[]): Set<string> {
  const seen = new Set<string>();
  return new Set(all.map(titleOf).filter((title) => seen.has(title) || !seen.add(title)));
}

function titleOf({ name, labels, kind }: Group): string {
  return JSON.stringify([name, labels, kind]);
}

function GroupRow({ group, placed }: { group: Group; placed: boolean }) {
  const open = place.value.open === group.id;
  const version = trendVersion.value;
  const points = useMemo(() => trend.groupPoints(group.id), [version]);
  const toggle = () => adjust({ open: open ? null : group.id });
  const oldest = group.oldest_age_seconds;
  return (
    <>
      <tr class={`group ${open ? "open" : ""}`} onClick={(event) => onRow(event) && toggle()}>
        <th scope="row" class="c-group">
          <button type="button" class="row-link" data-row aria-expanded={open} onClick={toggle}>
            <span class="twist" aria-hidden="true" />
            <Name name={group.name} labels={group.labels} kind={group.kind} />
            {placed && <span class="pairs"> {plain(group.location)}</span>}
          </button>
        </th>
        <td class="c-figure">
          <Short of={group.live} />
        </td>
        <td class="c-figure mid"><Rate of={group.finished_per_second} /></td>
        <td class="c-figure wide"><Duration seconds={group.usual?.p50_seconds ?? null} /></td>
        <td class="c-figure mid"><Duration seconds={group.usual?.p95_seconds ?? null} /></td>
        <td class="c-figure wide"><Duration seconds={group.usual?.p99_seconds ?? null} /></td>
        <td class="c-figure mid"><Share of={group.busy_share} /></td>
        <td class={`c-figure mid ${group.warnings.some(({ code }) => code === "failing") ? "bad" : ""}`}><Share of={group.failed_share} /></td>
        <td class="c-figure"><Age seconds={oldest === null ? null : oldest + since(summaryAt.value)} /></td>
        <td class="c-spark mid"><Spark points={points} /></td>
      </tr>
      {group.warnings.map((warning) => (
        <tr class="warning" key={warning.code}>
          <td colSpan={seen(COLUMNS)}>
            <Mark of="warning" />
            <Outside text={warning.text} />
          </td>
        </tr>
      ))}
      {open && (
        <tr class="inside">
          <td colSpan={seen(COLUMNS)}>
            <Inside group={group} />
          </td>
        </tr>
      )}
    </>
  );
}

/** Not where a control or selected text is meant. */
function onRow(event: MouseEvent): boolean {
  const target = event.target as HTMLElement;
  return target.closest("a, button") === null && String(getSelection()) === "";
}

function Inside({ group }: { group: Group }) {
  const { answer } = useAnswer<Page<Task>>(`tasks?group=${group.id}&sort=age&limit=${SHOWN}`);
  const { held, hold } = useHold();
  const rows = useHeld(answer?.value.items ?? [], held);
  const total = answer?.value.total ?? group.live;
  return (
    <div class="group-inside" {...hold}>
      <Facts group={group} />
      {answer === null ? (
        <Skeleton rows={Math.min(SHOWN, group.live)} />
      ) : rows.length === 0 ? (
        <p class="soft">None is alive. <a href={link({ view: "finished", group: group.id })}>See those that finished</a>.</p>
      ) : (
        <TaskTable rows={rows} at={answer.at} instance={answer.instance} actions={summary.value?.actions ?? false} label="The oldest of the group" hideNames />
      )}
      {total > rows.length && (
        <p class="more">
          <a href={link({ view: "tasks", group: group.id })}>All {plural(total, "task")}</a>, the oldest are shown
        </p>
      )}
    </div>
  );
}

function Facts({ group }: { group: Group }) {
  const failure = group.last_failure;
  return (
    <dl class="inline facts">
      <div><dt>spawned</dt><dd>{count(group.spawned)}</dd></div>
      {OUTCOMES.map((outcome) => (
        <div key={outcome} class={group.finished[outcome] === 0 ? "zero" : undefined}>
          <dt><Word of={outcome} /></dt>
          <dd>
            <a href={link({ view: "finished", group: group.id, outcome })}>{count(group.finished[outcome])}</a>
          </dd>
        </div>
      ))}
      <div class={group.slow_polls === 0 ? "zero" : undefined}>
        <dt title="Polls that took longer than slow_poll">slow polls</dt>
        <dd>{count(group.slow_polls)}<span class="unit"> of {count(group.polls)}</span></dd>
      </div>
      <div><dt>spawned at</dt><dd><Location of={group.location} /></dd></div>
      {failure !== null && (
        <div class="last-failure">
          <dt>last failure {clock(failure.at)}</dt>
          <dd>
            <a href={link({ view: "task", task: failure.task })}>#{failure.task}</a>{" "}
            <Word of={failure.outcome} /> {failure.message !== null && <Outside text={failure.message} class="message" />}
          </dd>
        </div>
      )}
    </dl>
  );
}

function FirstSpawn() {
  return (
    <Empty title="No task has been spawned through headcount yet.">
      <p>Replace <code>tokio::spawn(…)</code> with <code>headcount::spawn(…)</code>, and it appears here:</p>
      <Code lines={["headcount::task(\"send-email\")", "    .label(\"provider\", \"ses\")", "    .spawn(async move { mailer.send(order).await });"]} />
      {(summary.value?.untracked ?? 0) > 0 && (
        <p class="soft">
          {plural(summary.value?.untracked ?? 0, "task")} of this runtime {summary.value?.untracked === 1 ? "is" : "are"} not tracked: connections
          and pools, and what still calls <code>tokio::spawn</code>.
        </p>
      )}
    </Empty>
  );
}
