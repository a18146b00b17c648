import { plain, plural } from "../format.ts";
import { Empty, Skeleton } from "../parts/empty.tsx";
import { useAnswer, useHeld, useHold } from "../parts/hooks.ts";
import { Mark } from "../parts/mark.tsx";
import { Choice, Chip, Pager } from "../parts/controls.tsx";
import { TaskTable } from "../parts/tasks.tsx";
import { adjust, KINDS, place, STATES } from "../place.ts";
import { groups, summary } from "../store.ts";
import type { Page, Task } from "../wire.ts";
import { nextSort } from "./sorting.ts";

export const LIMIT = 50;

export function Tasks() {
  const { q, sort, order, state, kind, group } = place.value;
  const path = tasksPath();
  const { answer, path: read, problem } = useAnswer<Page<Task>>(path);
  const { held, hold } = useHold();
  const rows = useHeld(answer?.value.items ?? [], held, read);
  const total = answer?.value.total ?? 0;
  const narrowed = q !== "" || state !== null || kind !== null || group !== null;
  return (
    <>
      <div class="controls">
        <Choice label="State" all="any state" of={STATES} value={state} mark={(one) => <Mark of={one} />} onChoose={(one) => adjust({ state: one, cursor: null, from: null })} />
        <Choice label="Kind" all="any kind" of={KINDS} value={kind} onChoose={(one) => adjust({ kind: one, cursor: null, from: null })} />
        <GroupChip />
        <span class="total">{answer === null ? "" : plural(total, "live task")}</span>
      </div>
      {problem !== null ? (
        <Empty title={problem.detail} />
      ) : answer === null ? (
        <Skeleton rows={10} />
      ) : rows.length === 0 ? (
        <NoTask narrowed={narrowed} q={q} />
      ) : (
        <div class={read === path ? undefined : "stale"} {...hold}>
          <TaskTable
            rows={rows}
            at={answer.at}
            instance={answer.instance}
            actions={summary.value?.actions ?? false}
            label="Live tasks"
            sort={sort ?? "age"}
            order={order ?? "desc"}
            onSort={(key) => adjust(nextSort(sort === null ? { ...place.value, sort: "age" } : place.value, key))}
          />
        </div>
      )}
      <Pager total={total} shown={rows.length} next={answer?.value.next ?? null} />
    </>
  );
}

function tasksPath(): string {
  const { q, sort, order, state, kind, group, cursor } = place.value;
  const query = new URLSearchParams({ limit: String(LIMIT), sort: sort ?? "age" });
  if (order !== null) query.set("order", order);
  if (q !== "") query.set("q", q);
  if (state !== null) query.set("state", state);
  if (kind !== null) query.set("kind", kind);
  if (group !== null) query.set("group", String(group));
  if (cursor !== null) query.set("cursor", cursor);
  return `tasks?${query}`;
}

/** The group that the list is narrowed to, and a way out. */
export function GroupChip() {
  const { group } = place.value;
  if (group === null) return null;
  const name = groups.value.find(({ id }) => id === group)?.name ?? `number ${group}`;
  return <Chip label={`group ${plain(name)}`} onClear={() => adjust({ group: null, cursor: null, from: null })} />;
}

function NoTask({ narrowed, q }: { narrowed: boolean; q: string }) {
  if (!narrowed) return <Empty title="No task is alive."><p>Tasks appear while they live; see Finished for those that ended.</p></Empty>;
  return (
    <Empty title={q === "" ? "No live task is like that." : `No live task matches “${plain(q)}”.`}>
      <p>The search looks at name, labels, fields, status, location and state, in any case.</p>
    </Empty>
  );
}
