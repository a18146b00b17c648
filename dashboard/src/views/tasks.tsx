import { useRef } from "preact/hooks";
import { plain, plural } from "../format.ts";
import { NOTHING, questionOf } from "../parts/asking.ts";
import { AttentionLine } from "../parts/attention.tsx";
import { Choice, Chip, Toggle } from "../parts/controls.tsx";
import { Empty } from "../parts/empty.tsx";
import { HeldNote } from "../parts/held.tsx";
import { useAnswer, useGrown, useHeld, useHold } from "../parts/hooks.ts";
import { Clear, Listing, pagePath } from "../parts/listing.tsx";
import { Mark } from "../parts/mark.tsx";
import { TaskTable } from "../parts/tasks.tsx";
import { adjust, KINDS, link, place, STATES } from "../place.ts";
import { groups, mayCancel, summary } from "../store.ts";
import type { FinishedTask, Page, Task } from "../wire.ts";
import { nextSort } from "./sorting.ts";

/** Blocked tasks that stand above all others. */
const BLOCKED = 5;

export function Tasks() {
  const { q, sort, order, state, kind, group, cursor, as } = place.value;
  const tree = as === "tree";
  const path = pagePath("tasks", { sort: sort ?? "age", order, q, state, kind, group, cursor, roots: tree ? "true" : null });
  const asked = useAnswer<Page<Task>>(path);
  const { held, hold, release } = useHold();
  const blocked = useBlocked(sort !== null || cursor !== null || tree);
  const above = blocked.tasks ?? [];
  const rest = (asked.answer?.value.items ?? []).filter(({ id }) => !above.some((one) => one.id === id));
  // A new list takes its order once it is known what stands above, even under the pointer.
  const ordered = useRef<string | null>(null);
  const question = questionOf(asked);
  if (blocked.known) ordered.current = question;
  const rows = useHeld([...above, ...(tree ? rootsOf(rest) : rest)], held, ordered.current === question ? question : null);
  const spawned = summary.value?.spawned ?? 0;
  const newer = useGrown(held, spawned);
  // What few processes have takes room only where it is.
  const states = STATES.filter((one) => one !== "limited" || one === state || 0 < (summary.value?.states?.limited ?? 0));
  const kinds = KINDS.filter((one) => (one !== "service" && one !== "timer") || one === kind || 0 < (summary.value?.services ?? 0));
  const narrowed = q !== "" || state !== null || kind !== null || group !== null;
  return (
    <>
      <AttentionLine />
      <div class="controls">
        <div class="choices">
          <Choice label="State" all="any state" of={states} value={state} counts={summary.value?.states ?? { blocked: summary.value?.blocked ?? 0 }} mark={(one) => <Mark of={one} />} onChoose={(one) => adjust({ state: one, cursor: null, from: null })} />
          <Choice label="Kind" all="any kind" of={kinds} value={kind} onChoose={(one) => adjust({ kind: one, cursor: null, from: null })} />
          <Toggle label="Tree" hint="Children below the tasks that spawned them" on={tree} onToggle={() => adjust({ as: tree ? null : "tree", cursor: null, from: null })} />
          <GroupChip />
        </div>
        <HeldNote held={held && asked.answer !== null} newer={newer} release={release} />
        <span class="total">
          {/* What is not narrowed is what the top line counts. */}
          {asked.answer !== null && asked.path === path && (narrowed || tree) && plural(asked.answer.value.total, tree ? "task without a live parent" : "live task", tree ? "tasks without a live parent" : "live tasks")}
        </span>
      </div>
      {/* What stands above comes first: nothing is pushed down afterwards. */}
      <Listing asked={blocked.tasks === null ? NOTHING : asked} shown={rows.length} none={<NoTask narrowed={narrowed} q={q} />}>
        {({ at, instance }) => (
          <div class={asked.path === path ? undefined : "stale"} {...hold}>
            <TaskTable
              rows={rows}
              at={at}
              instance={instance}
              actions={mayCancel.value}
              label="Live tasks"
              sort={sort ?? "age"}
              order={order ?? "desc"}
              onSort={(key) => adjust(nextSort(sort === null ? { ...place.value, sort: "age" } : place.value, key))}
              tree={tree}
            />
          </div>
        )}
      </Listing>
    </>
  );
}

/**
 * The tasks that hold a worker. They come above all others, whatever their age. `known` says that the list is
 * for what is asked now. Without `tasks`, nothing is drawn yet.
 */
function useBlocked(elsewhere: boolean): { tasks: Task[] | null; known: boolean } {
  const { q, state, kind, group } = place.value;
  const drawn = useRef(false);
  const any = 0 < (summary.value?.blocked ?? 0) && !elsewhere && state === null;
  const narrowed = new URLSearchParams({ state: "blocked", sort: "age", limit: String(BLOCKED) });
  for (const [key, value] of Object.entries({ q, kind, group })) if (value !== null && value !== "") narrowed.set(key, String(value));
  const wanted = any ? `tasks?${narrowed}` : null;
  const asked = useAnswer<Page<Task>>(wanted, 2);
  const { answer, problem } = asked;
  const known = summary.value !== null && (!any || questionOf(asked) === wanted);
  if (known) drawn.current = true;
  // Whether a task is blocked is known with the summary.
  if (summary.value === null && !elsewhere && state === null && !drawn.current) return { tasks: null, known };
  if (!any || problem !== null) return { tasks: [], known };
  if (answer !== null) return { tasks: answer.value.items, known };
  // A list that is seen already is not taken away.
  return { tasks: drawn.current ? [] : null, known };
}

/**
 * Leaves out children whose parent is listed, as they are below it already. A server that does not know
 * `roots` sends them too.
 */
function rootsOf(tasks: Task[]): Task[] {
  const listed = new Set(tasks.map(({ id }) => id));
  return tasks.filter(({ parent }) => parent === null || !listed.has(parent));
}

/** The group that the list is narrowed to, and a way out. */
export function GroupChip() {
  const { group } = place.value;
  if (group === null) return null;
  const name = groups.value.find(({ id }) => id === group)?.name ?? `number ${group}`;
  return <Chip label={`group ${plain(name)}`} onClear={() => adjust({ group: null, cursor: null, from: null })} />;
}

function NoTask({ narrowed, q }: { narrowed: boolean; q: string }) {
  if (!narrowed) return <Empty title="No task is alive."><p>Tasks are listed while they live; <a href={link({ view: "finished" })}>Finished</a> lists those that ended.</p></Empty>;
  return (
    <Empty title={q === "" ? "No live task is like that." : `No live task matches “${plain(q)}”.`}>
      {q !== "" && <ElsewhereFinished q={q} />}
      <p>
        The search looks at name, labels, fields, status, location and state, in any case. Filters: <code>state:blocked</code>, <code>age:&gt;5m</code>, <code>label.provider:ses</code>. <Clear />
      </p>
    </Empty>
  );
}

/** The same search among the tasks that ended. */
function ElsewhereFinished({ q }: { q: string }) {
  const { answer } = useAnswer<Page<FinishedTask>>(`finished?limit=1&q=${encodeURIComponent(q)}`, 10);
  const total = answer?.value.total ?? 0;
  if (total === 0) return null;
  return <p><a href={link({ view: "finished", q })}>{plural(total, "finished task")}</a> {total === 1 ? "does" : "do"}.</p>;
}
