import { useRef } from "preact/hooks";
import { setToken } from "./api.ts";

/** Asked for once, and kept until the tab closes. */
export function Token({ refused }: { refused: boolean }) {
  const box = useRef<HTMLInputElement>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    const token = box.current?.value.trim() ?? "";
    if (token !== "") setToken(token);
  };
  return (
    <main class="token">
      <form onSubmit={submit}>
        <h1>This process wants a token</h1>
        <p>It is the value of <code>HEADCOUNT_TOKEN</code>, or what stands in the file named by <code>HEADCOUNT_TOKEN_FILE</code>.</p>
        <label>
          <span>Token</span>
          <input ref={box} name="token" type="password" autocomplete="off" autofocus aria-invalid={refused} aria-describedby="token-note" />
        </label>
        <button type="submit" class="button firm">Open</button>
        <p id="token-note" class={refused ? "bad" : "soft"} role={refused ? "alert" : undefined}>
          {refused ? "That token was refused." : "Kept in this tab, until it closes."}
        </p>
      </form>
    </main>
  );
}
