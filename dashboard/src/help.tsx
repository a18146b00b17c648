import { useEffect, useRef } from "preact/hooks";
import { helping } from "./keys.ts";
import { type Known, Mark } from "./parts/mark.tsx";

const KEYS: [string, string][] = [
  ["/", "search"],
  ["g t f l", "Groups, Tasks, Finished, Lifetime"],
  ["↑ ↓", "from row to row (also k and j)"],
  ["Enter", "open the row"],
  ["Esc", "close what is open"],
  ["d", "light or dark"],
  ["?", "this help"],
];

const STATES: [Known, string][] = [
  ["queued", "spawned, not polled yet"],
  ["idle", "waiting to be woken"],
  ["running", "in a poll, or in its closure"],
  ["blocked", "in one poll for so long that it holds a worker thread"],
];

const OUTCOMES: [Known, string][] = [
  ["ok", "came to its end"],
  ["error", "ended with an Err, where spawned as fallible"],
  ["panic", "its own code panicked"],
  ["cancelled", "dropped before its end: aborted, lost a select, or its runtime went"],
  ["aborted", "stopped by the shutdown: force, deadline or grace"],
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
          </section>
          <section>
            <h3>A task is</h3>
            <Legend of={STATES} />
            <h3>It ends as</h3>
            <Legend of={OUTCOMES} />
          </section>
        </div>
        <p class="soft">
          Rows hold still while the pointer is on them. Updates come each second and rest while the tab is hidden. The address holds what you see: copy it to share a view.
        </p>
      </div>
    </dialog>
  );
}

function Legend({ of }: { of: [Known, string][] }) {
  return (
    <dl>
      {of.map(([known, means]) => (
        <div key={known}><dt class={`word is-${known}`}><Mark of={known} />{known}</dt><dd>{means}</dd></div>
      ))}
    </dl>
  );
}
