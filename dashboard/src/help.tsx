import { useEffect, useRef } from "preact/hooks";
import { helping } from "./keys.ts";
import { type Known, Mark, wordOf } from "./parts/mark.tsx";

const KEYS: [string, string][] = [
  ["/", "search, also by filters"],
  ["g t f s l", "Groups, Tasks, Finished, Services, Lifetime"],
  ["↑ ↓", "from row to row (also k and j)"],
  ["Enter", "open the row"],
  ["← →", "close or open its branch"],
  ["Space", "pause, and go on"],
  ["Esc", "close what is open"],
  ["d", "light or dark"],
  ["?", "this help"],
];

const FILTERS: [string, string][] = [
  ["state:blocked", "in that state"],
  ["age:>5m", "older than; also busy:, polls:"],
  ["label.provider:ses", "with that label; field.KEY: too"],
  ["outcome:panic", "among the finished"],
  ["p95:>10s", "among the groups; also live:, failed:"],
];

const STATES: [Known, string][] = [
  ["queued", "spawned, not polled yet"],
  ["idle", "waiting to be woken"],
  ["running", "in a poll, or in its closure"],
  ["limited", "waits for its limit or its key; its timeout has not begun"],
  ["blocked", "in one poll for so long that it holds a worker thread"],
];

const SERVICES: [Known, string][] = [
  ["waiting", "a timer between two ticks"],
  ["backing_off", "a service that failed and restarts later"],
  ["failed", "it needed too many restarts"],
  ["lost", "its runtime ended before it was stopped"],
];

const OUTCOMES: [Known, string][] = [
  ["ok", "came to its end"],
  ["error", "ended with an Err, where spawned as fallible"],
  ["panic", "its own code panicked"],
  ["cancelled", "aborted through its handle or this page, dropped, or its runtime went"],
  ["timeout", "its own time limit ran out"],
  ["rejected", "not admitted by its limit"],
  ["abandoned", "cut by a stop: deadline, force or grace"],
];

const SEVERITIES: [Known, string][] = [
  ["critical", "a worker is held, or most of a group fails"],
  ["warning", "unlike its group's past"],
  ["notice", "worth a look in time"],
];

// The event of the closing comes late: keys pressed until then would be taken for the dialog's.
const close = () => {
  helping.value = false;
};

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = helping.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onCancel={close} onClose={close} onClick={(event) => event.target === dialog.current && close()}>
      <div class="help-body">
        <header>
          <h2 id="help-title">Reading this page</h2>
          <button type="button" class="button" onClick={close}>Close</button>
        </header>
        <div class="help-columns">
          <section>
            <h3>Keys</h3>
            <dl>{KEYS.map(([key, does]) => <div key={key}><dt>{key.split(" ").map((one) => <kbd key={one}>{one}</kbd>)}</dt><dd>{does}</dd></div>)}</dl>
            <h3>Filters of the search</h3>
            <dl class="filters">{FILTERS.map(([filter, means]) => <div key={filter}><dt><code>{filter}</code></dt><dd>{means}</dd></div>)}</dl>
          </section>
          <section>
            <h3>A task is</h3>
            <Legend of={STATES} />
            <h3>It ends as</h3>
            <Legend of={OUTCOMES} />
            <h3>A service or timer is</h3>
            <Legend of={SERVICES} />
            <h3>Attention is</h3>
            <Legend of={SEVERITIES} />
          </section>
        </div>
        <p class="soft">
          A list holds still while the pointer or the focus is in it, after a touch, and while one of its rows is open. ~ before a figure is an estimate, ≤ an upper bound.
          The address holds what you see, and the process it is of. A number is one task&#8217;s alone in its process, but not an order: threads take numbers in advance, so a later task may have a smaller one.
        </p>
      </div>
    </dialog>
  );
}

function Legend({ of }: { of: [Known, string][] }) {
  return (
    <dl>
      {of.map(([known, means]) => (
        <div key={known}><dt class={`word is-${known}`}><Mark of={known} />{wordOf(known)}</dt><dd>{means}</dd></div>
      ))}
    </dl>
  );
}
