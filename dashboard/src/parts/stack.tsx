// Where a task waits: a button that asks, and the last answer as a tree.

import { useEffect, useState } from "preact/hooks";
import { ApiError, ask, explain, get } from "../api.ts";
import { plain } from "../format.ts";
import { place } from "../place.ts";
import { lost, summary } from "../store.ts";
import type { Stack, StackBranch, StackFrame } from "../wire.ts";
import { announcement, Copy } from "./copy.tsx";
import { Location } from "./tasks.tsx";
import { Time } from "./time.tsx";

/** Whether this process answers such questions. */
function canAsk(): boolean {
  return summary.value?.permissions?.includes("stacks") ?? false;
}

export function Where({ id, instance, alive }: { id: number; instance: string | null; alive: boolean }) {
  const [stack, setStack] = useState<Stack | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [asks, setAsks] = useState(false);
  const permitted = canAsk();
  useEffect(() => {
    setStack(null);
    setProblem(null);
    if (!alive || !permitted) return;
    const abort = new AbortController();
    // The last answer, if there is one: reading it asks the task nothing.
    get<Stack>(`tasks/${id}/stack`, abort.signal).then(
      ({ value }) => setStack((newer) => newer ?? value),
      () => undefined,
    );
    return () => abort.abort();
  }, [id, instance, permitted]);
  const run = async () => {
    if (asks) return;
    setAsks(true);
    setProblem(null);
    try {
      const { value } = await ask<Stack>(`tasks/${id}/stack`, instance);
      if (place.value.task !== id) return;
      setStack(value);
      announcement.value = value.text;
    } catch (error) {
      setProblem(error instanceof ApiError && error.status === 404 ? "It has ended." : explain(error));
    } finally {
      setAsks(false);
    }
  };
  // What the last question found is the answer also where the task has ended by it.
  if (!alive && stack === null && problem === null) return null;
  return (
    <section class="where">
      <h2>Where it waits</h2>
      <p>
        {alive && permitted && (
          <button type="button" class="button" onClick={run} aria-disabled={asks} disabled={lost.value} title="Polls the task once more, and shows from where it waits">
            {asks ? "Asking…" : stack === null ? "Ask it" : "Ask again"}
          </button>
        )}
        {alive && !permitted && <span class="soft">This page may not ask: <code>HEADCOUNT_STACKS=request</code> permits it, in a build with the feature <code>stacks</code>.</span>}{" "}
        {stack !== null && stack.branches.length > 0 && <><Copy text={`${stack.name} #${stack.id} ${stack.text}`} class="button">Copy as text</Copy>{" "}</>}
        {stack !== null && <span class="soft">asked <Time at={stack.captured_at} /></span>}
      </p>
      {problem !== null && <p class="problem" role="alert">{problem}</p>}
      {stack !== null && <Answer stack={stack} />}
    </section>
  );
}

/** What `ps` calls a thread's states. */
const STATES: Record<string, string> = {
  R: "runs (R)",
  S: "sleeps (S)",
  D: "sleeps, and cannot be interrupted (D)",
  T: "is stopped (T)",
  t: "is stopped by a debugger (t)",
};

function Answer({ stack }: { stack: Stack }) {
  return (
    <>
      {/* Of a task that waits, the tree says the same as the line. */}
      {(stack.branches.length === 0 || stack.result !== "waits") && <p class="where-text"><bdi>{plain(stack.text)}</bdi></p>}
      {stack.thread?.state_code && <p class="soft">Its thread: {STATES[stack.thread.state_code] ?? `in the state ${stack.thread.state_code}`}.</p>}
      {stack.branches.length > 0 && <ul class="tree stack">{stack.branches.map((branch, index) => <Branch key={index} branch={branch} depth={0} />)}</ul>}
      {stack.lost > 0 && <p class="soft">{stack.lost} more places were left out.</p>}
      {stack.cut && <p class="soft">Outer frames were left out.</p>}
    </>
  );
}

function Branch({ branch, depth }: { branch: StackBranch; depth: number }) {
  return (
    <>
      {branch.frames.map((frame, index) => (
        <li key={index} class={`depth-${Math.min(depth + index, 5)}`}>
          <Frame of={frame} />
          {branch.draining && index === branch.frames.length - 1 && <span class="soft"> waits for draining, which is no cause</span>}
        </li>
      ))}
      {branch.branches.map((inner, index) => <Branch key={index} branch={inner} depth={depth + branch.frames.length} />)}
    </>
  );
}

function Frame({ of }: { of: StackFrame }) {
  return (
    <>
      <code class={of.library === null ? "given" : "soft"}><bdi>{plain(of.function)}</bdi></code>{" "}
      {of.location !== null && <Location of={of.location} />}
    </>
  );
}
