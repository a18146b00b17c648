// What the reader must know before reading on, in one line above the view.

import { age, clock, count, text } from "./format.ts";
import { Copy } from "./parts/copy.tsx";
import { ended, gone, link, second, shutdown, summary } from "./store.ts";
import type { Ended } from "./store.ts";
import { verdict } from "./views/verdict.ts";

export function Notices() {
  const before = ended.value;
  return (
    <>
      {before !== null && <Successor before={before} />}
      {gone.value && shutdown.value === null && <NoAnswer />}
    </>
  );
}

/** Another process has taken the place of the one that was watched. */
function Successor({ before }: { before: Ended }) {
  const now = summary.value;
  if (now === null) return null;
  const { pid } = before.summary;
  return (
    <div class="notice" role="status">
      <span>
        <b>A new process answers:</b> pid {now.pid}, started {clock(now.started_at)}.{" "}
        {before.report === null ? `pid ${pid} left no report.` : `pid ${pid} ended: ${verdict(before.report)}.`}
      </span>
      {before.report !== null && <Copy text={JSON.stringify(before.report, null, 2)} class="button">Copy its report as JSON</Copy>}
      <button type="button" class="button" onClick={() => (ended.value = null)}>Dismiss</button>
    </div>
  );
}

/** It fell silent without a word. */
function NoAnswer() {
  const now = summary.value;
  const { seen } = link.value;
  if (now === null || seen === null) return null;
  const silent = Math.max(0, (second.value - seen) / 1_000);
  return (
    <div class="notice grave" role="status">
      <span>
        <b>No answer for {text(age(Math.floor(silent)))}.</b> pid {now.pid} announced no shutdown: it was killed, it crashed, or the network is away.
        It had {count(now.live)} live {now.live === 1 ? "task" : "tasks"}; what is below is as last seen.
      </span>
    </div>
  );
}
