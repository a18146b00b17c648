import { useRef, useState } from "preact/hooks";
import { setToken } from "./api.ts";

/** What a header can carry. */
const PRINTABLE = /^[\x20-\x7e]+$/;

/** Why it cannot be the token; null where it may be. */
export function unfit(token: string): string | null {
  return PRINTABLE.test(token) ? null : "That has characters that no request can carry: a token is plain ASCII.";
}

/** Asked for once, and kept until the tab closes. */
export function Token({ refused }: { refused: boolean }) {
  const box = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const said = problem ?? (refused ? "That token was refused." : null);
  const submit = (event: Event) => {
    event.preventDefault();
    const token = box.current?.value.trim() ?? "";
    if (token === "") return;
    const problem = unfit(token);
    setProblem(problem);
    if (problem === null) setToken(token);
  };
  return (
    <main class="token">
      <form onSubmit={submit}>
        <h1>This process wants a token</h1>
        <p>It is the value of <code>HEADCOUNT_TOKEN</code>, or what stands in the file named by <code>HEADCOUNT_TOKEN_FILE</code>.</p>
        <label>
          <span>Token</span>
          <input ref={box} name="token" type="password" autocomplete="off" autofocus aria-invalid={said !== null} aria-describedby="token-note" />
        </label>
        <button type="submit" class="button firm">Open</button>
        <p id="token-note" class={said !== null ? "bad" : "soft"} role={said !== null ? "alert" : undefined}>
          {said ?? "Kept in this tab, until it closes."}
        </p>
      </form>
    </main>
  );
}
