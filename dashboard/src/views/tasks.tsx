import { plain, plural } from "../format.ts";
import { Empty } from "../parts/empty.tsx";
import { useAnswer, useHeld, useHold } from "../parts/hooks.ts";
import { Listing, pagePath } from "../parts/listing.tsx";
import { Mark } from "../parts/mark.tsx";
import { Choice, Chip } from "../parts/controls.tsx";
import { TaskTable } from "../parts/tasks.tsx";
import { adjust, KINDS, place, STATES } from "../place.ts";
import { groups, summary } from "../store.ts";
import type { Page, Task } from "../wire.ts";
import { nextSort } from "./sorting.ts";

export function Tasks() {
  const { q, sort, order, state, kind, group, cursor } = place.value;
  const path = pagePath("tasks", { sort: sort ?? "age", order, q, state, kind, group, cursor });
  const asked = useAnswer<Page<Task>>(path);
  const { held, hold } = useHold();
  const rows = useHeld(asked.answer?.value.items ?? [], held, asked.path);
  const narrowed = q !== "" || state !== null || kind !== null || group !== null;
  return (
    <>
      <div class="controls">
        <Choice label="State" all="any state" of={STATES} value={state} mark={(one) => <Mark of={one} />} onChoose={(one) => adjust({ state: one, cursor: null, from: null })} />
        <Choice label="Kind" all="any kind" of={KINDS} value={kind} onChoose={(one) => adjust({ kind: one, cursor: null, from: null })} />
        <GroupChip />
        <span class="total">{asked.answer !== null && plural(asked.answer.value.total, "live task")}</span>
      </div>
      <Listing asked={asked} shown={rows.length} none={<NoTask narrowed={narrowed} q={q} />}>
        {({ at, instance }) => (
          <div class={asked.path === path ? undefined : "stale"} {...hold}>
            <TaskTable
              rows={rows}
              at={at}
              instance={instance}
              actions={summary.value?.actions ?? false}
              label="Live tasks"
              sort={sort ?? "age"}
              order={order ?? "desc"}
              onSort={(key) => adjust(nextSort(sort === null ? { ...place.value, sort: "age" } : place.value, key))}
            />
          </div>
        )}
      </Listing>
    </>
  );
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
