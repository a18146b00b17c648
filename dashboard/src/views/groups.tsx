import { useEffect, useMemo, useRef } from "preact/hooks";
import { groupAt } from "../book.ts";
import { count, inWords, plain, plural, setting } from "../format.ts";
import { Growing, Quantile, Rate, Share, Short } from "../parts/amount.tsx";
import { questionOf } from "../parts/asking.ts";
import { AttentionPanel, useAttention } from "../parts/attention.tsx";
import { seen } from "../parts/breadth.ts";
import { Code, Empty, Skeleton } from "../parts/empty.tsx";
import { ForecastLine } from "../parts/forecast.tsx";
import { type Column, Head } from "../parts/head.tsx";
import { isOpen, useAnswer, useHeld, useHold } from "../parts/hooks.ts";
import { Clear } from "../parts/listing.tsx";
import { Mark, Word } from "../parts/mark.tsx";
import { Name, Outside } from "../parts/name.tsx";
import { Spark } from "../parts/spark.tsx";
import { still } from "../parts/still.ts";
import { Strip } from "../parts/strip.tsx";
import { Location, TaskTable } from "../parts/tasks.tsx";
import { Time } from "../parts/time.tsx";
import { useWindow } from "../parts/window.ts";
import { adjust, link, OUTCOMES, place } from "../place.ts";
import { focusOn } from "../returning.ts";
import { countOf, gravityOf, groups, mayCancel, second, severityOf, summary, trend, trendSlot } from "../store.ts";
import type { Group, Page, Severity, Task, Terms } from "../wire.ts";
import { filterOf } from "./filters.ts";
import { nextSort, sortGroups } from "./sorting.ts";

const COLUMNS: Column[] = [
  { key: "name", label: "Group", class: "c-group", sortable: true, natural: "gravest first" },
  { key: "live", label: "Live", class: "c-figure c-live", sortable: true, hint: "Tasks alive now" },
  { key: "rate", label: "Rate", class: "c-figure mid", sortable: true, hint: "Finished per second, over the last 10 seconds" },
  { key: "p50", label: "p50", class: "c-figure wide", sortable: true, hint: "Half of the finished tasks took at most this long" },
  { key: "p95", label: "p95", class: "c-figure c-p95", sortable: true, hint: "95 % of the finished tasks took at most this long" },
  { key: "p99", label: "p99", class: "c-figure wide", sortable: true, hint: "99 % of the finished tasks took at most this long" },
  { key: "busy", label: "Busy", class: "c-figure mid", sortable: true, hint: "Share of all workers' time that its polls took, over the last 10 seconds; blocking closures have threads of their own" },
  { key: "failed", label: "Failed", class: "c-figure", sortable: true, hint: "Share of what finished in the last minute that ended in error or panic" },
  { key: "oldest", label: "Oldest", class: "c-figure c-age", sortable: true, hint: "Age of the oldest live task" },
  { key: "trend", label: "10 min", class: "c-spark mid", hint: "Over the last ten minutes: live tasks; of groups with short tasks, how many finished per second" },
];

const SHOWN = 8;
/** Heights of rows as the style sheet has them. */
const ROW = 29;
const WARNING = 27;
/** Points that a line has at least. */
const LEAST = 12;
/** What an opened group takes until it is measured. */
const INSIDE = 400;
/** Tasks that live shorter than that are missed by samples of how many are alive. */
const SHORT_LIVED = 10;

export function Groups() {
  const shown = useAttention();
  return (
    <div class="groups-view">
      <div class="panel">
        <AttentionPanel shown={shown} />
        <Strip />
      </div>
      <ForecastLine />
      <GroupTable inAttention={shown.groups} />
    </div>
  );
}

function GroupTable({ inAttention }: { inAttention: Set<number> }) {
  const { q, sort, order } = place.value;
  const all = groups.value;
  const { held, hold } = useHold(isOpen(all));
  const filter = useMemo(() => filterOf(q), [q]);
  const now = "ages" in filter && filter.ages ? second.value : null;
  const found = useMemo(() => ("problem" in filter ? [] : sortGroups(all.filter(filter.test), sort, order)), [all, filter, sort, order, now]);
  const rows = useHeld(found, held, `${q} ${sort} ${order}`);
  const said = (group: Group) => (inAttention.has(group.id) ? [] : group.warnings);
  const inside = useRef(INSIDE);
  const { open } = place.value;
  const heightOf = (index: number) => {
    const group = rows[index]?.item;
    if (group === undefined) return ROW;
    return ROW + WARNING * said(group).length + (group.id === open ? inside.current : 0);
  };
  const pinned = (index: number) => rows[index]?.item.id === open || isFocused(rows[index]?.item);
  const { runs, body } = useWindow(rows.length, heightOf, pinned);
  useEffect(() => {
    inside.current = body.current?.querySelector<HTMLElement>(".inside")?.offsetHeight ?? INSIDE;
  });
  if (summary.value === null) return <Skeleton />;
  if (all.length === 0) return <FirstSpawn />;
  if ("problem" in filter) return <Empty title={filter.problem}><p><Clear /></p></Empty>;
  if (rows.length === 0) return <Empty title={`No group matches “${plain(q)}”.`}><p>The search looks at name, labels, kind and location. <Clear /></p></Empty>;
  const twice = namesakes(all);
  return (
    <table class="table groups" aria-label="Groups" aria-rowcount={rows.length + 1} {...hold}>
      <Head columns={COLUMNS} sort={sort} order={order ?? "desc"} onSort={(key) => adjust(nextSort(place.value, key))} />
      <tbody ref={body}>
        {runs.map((run) =>
          "height" in run ? (
            <tr key={run.key} class="beyond-window" aria-hidden="true" style={{ height: `${run.height}px` }} />
          ) : (
            rows.slice(run.from, run.to).map(({ item }) => (
              <GroupRow key={item.id} group={item} open={open === item.id} placed={twice.has(titleOf(item))} warned={said(item).length > 0} />
            ))
          ),
        )}
      </tbody>
    </table>
  );
}

function isFocused(group: Group | undefined): boolean {
  return group !== undefined && document.activeElement?.getAttribute("data-key") === `group ${group.id}`;
}

/** What groups that differ in their location alone are called. */
function namesakes(all: Group[]): Set<string> {
  const once = new Set<string>();
  return new Set(all.map(titleOf).filter((title) => once.has(title) || !once.add(title)));
}

const titles = new WeakMap<Group, string>();

function titleOf(group: Group): string {
  const known = titles.get(group);
  if (known !== undefined) return known;
  const title = JSON.stringify([group.name, group.labels, group.kind]);
  titles.set(group, title);
  return title;
}

interface GroupRowProps {
  group: Group;
  open: boolean;
  /** Another group differs in its location alone. */
  placed: boolean;
  /** Its warnings stand below it, and not above the list. */
  warned: boolean;
}

const GroupRow = still<GroupRowProps>(({ group, open, placed, warned }) => {
  const toggle = () => adjust({ open: open ? null : group.id });
  const gravity = gravityOf(group);
  return (
    <>
      <tr class={`group ${open ? "open" : ""}`} onClick={(event) => onRow(event) && (toggle(), focusOn(`group ${group.id}`))}>
        <th scope="row" class="c-group">
          <button type="button" class="row-link" data-row data-key={`group ${group.id}`} aria-expanded={open} onClick={toggle}>
            <span class="twist" aria-hidden="true" />
            {gravity > 0 && <Warned group={group} />}
            <Name name={group.name} labels={group.labels} kind={group.kind} />
            {placed && <span class="pairs"> {plain(group.location)}</span>}
          </button>
        </th>
        <td class="c-figure c-live">
          <Short of={group.live} />
        </td>
        <td class="c-figure mid"><Rate of={group.finished_per_second} /></td>
        <td class="c-figure wide"><Quantile of="p50" usual={group.usual} /></td>
        <td class="c-figure c-p95"><Quantile of="p95" usual={group.usual} /></td>
        <td class="c-figure wide"><Quantile of="p99" usual={group.usual} /></td>
        <td class="c-figure mid"><Share of={group.busy_share} /></td>
        <td class={`c-figure ${group.warnings.some(({ code }) => code === "failing") ? "bad" : ""}`}><Share of={group.failed_share} /></td>
        <td class="c-figure c-age"><Growing seconds={group.oldest_age_seconds} at={groupAt(group)} /></td>
        <td class="c-spark mid"><GroupSpark id={group.id} short={(group.usual?.p50_seconds ?? Infinity) < SHORT_LIVED} /></td>
      </tr>
      {(warned || open) &&
        group.warnings.map((warning) => (
          <tr class={`warning is-${severityOf(warning, group)}`} key={warning.code}>
            <td colSpan={seen(COLUMNS)}>
              <Mark of={severityOf(warning, group)} />
              <Outside text={inWords(warning.text)} />
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
});

/** The gravest of its warnings as a mark before the name. */
function Warned({ group }: { group: Group }) {
  const severities = group.warnings.map((warning) => severityOf(warning, group));
  const order: Severity[] = ["critical", "warning", "notice"];
  const worst = order.find((one) => severities.includes(one)) ?? "notice";
  return (
    <span class="row-mark" title={group.warnings.map(({ text }) => inWords(text)).join("\n")}>
      <Mark of={worst} />
      <span class="unseen">{worst} </span>
    </span>
  );
}

const GroupSpark = still<{ id: number; short: boolean }>(({ id, short }) => {
  const slot = trendSlot.value;
  const figure = short ? "finished" : "live";
  const points = useMemo(() => known(trend.groupPoints(id, figure)), [slot, figure]);
  const most = Math.max(0, ...points.map((point) => point ?? 0));
  return <Spark points={points} label={short ? `finished per second, at most ${most < 10 ? most.toFixed(1) : count(most)}` : `live, at most ${count(most)}`} />;
});

/** From the first point that is known, so that a young process does not look idle. */
function known(points: (number | null)[]): (number | null)[] {
  const first = points.findIndex((point) => point !== null);
  return first === -1 ? points : points.slice(Math.min(first, points.length - LEAST));
}

/** Not where a control or selected text is meant. */
function onRow(event: MouseEvent): boolean {
  const target = event.target as HTMLElement;
  return target.closest("a, button") === null && String(getSelection()) === "";
}

function Inside({ group }: { group: Group }) {
  const asked = useAnswer<Page<Task>>(`tasks?group=${group.id}&sort=age&limit=${SHOWN}`);
  const { answer } = asked;
  const { held, hold } = useHold();
  const rows = useHeld(answer?.value.items ?? [], held, questionOf(asked));
  const total = answer?.value.total ?? group.live;
  return (
    <div class="group-inside" {...hold}>
      <Facts group={group} />
      {answer === null ? (
        <Skeleton rows={Math.min(SHOWN, group.live)} />
      ) : rows.length === 0 ? (
        <p class="soft">None is alive. <a href={link({ view: "finished", group: group.id })}>See those that finished</a>.</p>
      ) : (
        <TaskTable rows={rows} at={answer.at} instance={answer.instance} actions={mayCancel.value} label="The oldest of the group" hideNames />
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
        <div key={outcome} class={countOf(group.finished, outcome) === 0 ? "zero" : undefined}>
          <dt><Word of={outcome} /></dt>
          <dd>
            <a href={link({ view: "finished", group: group.id, outcome })}>{count(countOf(group.finished, outcome))}</a>
          </dd>
        </div>
      ))}
      <div class={group.slow_polls === 0 ? "zero" : undefined}>
        <dt title="Polls that took longer than slow_poll">slow polls</dt>
        <dd>{count(group.slow_polls)}<span class="unit"> of {count(group.polls)}</span></dd>
      </div>
      {group.terms != null && <TermFacts of={group.terms} />}
      <div><dt>spawned at</dt><dd><Location of={group.location} /></dd></div>
      {failure !== null && (
        <div class="last-failure">
          <dt>last failure <Time at={failure.at} /></dt>
          <dd>
            <a href={link({ view: "task", task: failure.task })}>#{failure.task}</a>{" "}
            <Word of={failure.outcome} /> {failure.message !== null && <Outside text={failure.message} class="message" />}
          </dd>
        </div>
      )}
    </dl>
  );
}

/** Its timeout and its limit, and what had to wait or was turned away. */
function TermFacts({ of }: { of: Terms }) {
  const rejected = of.rejected.full + of.rejected.duplicate;
  return (
    <>
      {of.timeout_seconds !== null && <div><dt title={plain(of.lifetime)}>timeout</dt><dd>{setting(of.timeout_seconds)}{of.timeout_by_operator && <span class="unit"> by the operator</span>}</dd></div>}
      {of.limit !== null && (
        <div>
          <dt title={plain(of.lifetime)}>limit</dt>
          <dd>{count(of.limit)}<span class="unit"> at once, {count(of.queue ?? 0)} may wait</span></dd>
        </div>
      )}
      <div class={of.limited === 0 ? "zero" : undefined}><dt title="Waiting for the limit or the key">limited</dt><dd>{count(of.limited)}</dd></div>
      {rejected > 0 && <div><dt>rejected because</dt><dd>{becauseOf(of.rejected)}</dd></div>}
    </>
  );
}

/** Figures only where the number of all rejected does not say it. */
function becauseOf({ full, duplicate }: Terms["rejected"]): string {
  if (duplicate === 0) return "the queue was full";
  return full === 0 ? "another had the key" : `${count(full)} found the queue full, ${count(duplicate)} another with the key`;
}

function FirstSpawn() {
  return (
    <Empty title="No task has been spawned through headcount yet.">
      <p>Replace <code>tokio::spawn(…)</code> with <code>headcount::spawn(…)</code>, and it appears here. With a name and labels:</p>
      <Code lines={["headcount::task(\"send-email\")", "    .label(\"provider\", \"ses\")", "    .spawn(async move {", "        mailer.send(order).await", "    });"]} />
      {(summary.value?.untracked ?? 0) > 0 && (
        <p class="soft">
          {plural(summary.value?.untracked ?? 0, "task")} of the runtimes {summary.value?.untracked === 1 ? "is" : "are"} not tracked: connections,
          pools, and code that still calls <code>tokio::spawn</code>.
        </p>
      )}
    </Empty>
  );
}
