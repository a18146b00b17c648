// What the reader must know before reading on, in one line above the view.

import { plain } from "./format.ts";
import { kept, keptBy } from "./memory.ts";
import { Empty } from "./parts/empty.tsx";
import { Time } from "./parts/time.tsx";
import { foreign, here, isBound, link as address, place } from "./place.ts";
import { ended, gone, link, shutdown, summary } from "./store.ts";
import type { Ended } from "./store.ts";
import { titleOf } from "./views/end.tsx";
import { verdict } from "./views/verdict.ts";

export function Notices() {
  const before = ended.value;
  const { view } = place.value;
  // The end itself names the process that came after it.
  const shown = view === "end" && place.value.in !== null && before?.summary.instance.startsWith(place.value.in) === true;
  return (
    <>
      {before !== null && !shown && <Successor before={before} />}
      {before === null && foreign.value && view !== "end" && !isBound(place.value) && <OtherLink />}
      {gone.value && shutdown.value === null && <NoAnswer />}
    </>
  );
}

/** Another process has taken the place of the one that was watched. */
function Successor({ before }: { before: Ended }) {
  const now = summary.value;
  if (now === null) return null;
  const { pid, instance } = before.summary;
  return (
    <div class="notice" role="status">
      <span>
        <b>A new process answers:</b> pid {now.pid}, started <Time at={now.started_at} />.{" "}
        {before.report === null ? `pid ${pid} left no report.` : `pid ${pid} ended: ${verdict(before.report)}.`}
      </span>
      <a class="button" href={address({ view: "end", in: instance.slice(0, here.value?.length) })}>See how it ended</a>
      <button type="button" class="button" onClick={() => (ended.value = null)}>Dismiss</button>
    </div>
  );
}

/** The address is that of a process that has ended, and the view is the same in any. */
function OtherLink() {
  const now = summary.value;
  const tag = place.value.in;
  if (now === null || tag === null) return null;
  const before = keptBy(tag);
  return (
    <div class="notice" role="status">
      <span>
        <b>This link is of {nameOf(tag)}, which has ended.</b> You see pid {now.pid}, started <Time at={now.started_at} />.
      </span>
      {before !== null && <a class="button" href={address({ view: "end", in: tag })}>See how it ended</a>}
      <a class="button" href={address({ view: place.value.view, q: place.value.q })}>Dismiss</a>
    </div>
  );
}

/** In place of a view whose ids mean something else in the process that answers. */
export function Foreign() {
  const tag = place.value.in ?? "";
  const now = summary.value;
  // Drawn again when an end is kept.
  void kept.value;
  const before = keptBy(tag);
  const { view, task } = place.value;
  return (
    <Empty heading={view === "task" || view === "lifetime" || view === "shutdown"} title={`This link is of ${nameOf(tag)}, which has ended.`}>
      {view === "task" && <p>Task #{task} was one of its tasks. Ids begin again in each process, so pid {now?.pid} has another task of that number or none.</p>}
      {before !== null && <p>{titleOf(before)}. <a href={address({ view: "end", in: tag })}>See how it ended</a></p>}
      <p><a href={address({ view: view === "finished" ? "finished" : view === "groups" ? "groups" : "tasks" })}>See what runs in pid {now?.pid}</a></p>
    </Empty>
  );
}

function nameOf(tag: string): string {
  const before = keptBy(tag);
  return before === null ? `process ${plain(tag)}` : `pid ${before.pid}`;
}

/** It fell silent without a word. */
function NoAnswer() {
  const now = summary.value;
  const { seen } = link.value;
  if (now === null || seen === null) return null;
  return (
    <div class="notice grave" role="status">
      <span>
        <b>No answer.</b> pid {now.pid} announced no shutdown: it was killed, it crashed, or the network is away. Everything on this page is as last seen.
      </span>
    </div>
  );
}
