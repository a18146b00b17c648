// The two lines that are always there: who and how it is; where the reader is and how fresh it all is.

import { useEffect, useRef } from "preact/hooks";
import { age, count, countdown, text } from "./format.ts";
import { helping } from "./keys.ts";
import { Amount, Duration, Rate, Share, Short } from "./parts/amount.tsx";
import { announcement } from "./parts/copy.tsx";
import { Outside } from "./parts/name.tsx";
import { adjust, link as address, place, type View } from "./place.ts";
import { gone, link, second, shutdown, silence, stage, summary, summaryAt, takeover } from "./store.ts";
import { shownTheme, switchTheme } from "./theme.ts";

export function TopLine({ drain }: { drain: boolean }) {
  const now = summary.value;
  return (
    <div class="top">
      <span class="who">
        <StageMark />
        <span class="service">{now === null ? "headcount" : <Outside text={now.service} />}</span>
        <StageWord drain={drain} />
      </span>
      <dl class={gone.value ? "figures stale" : "figures"}>
        <Figure label="live" hint="Tasks alive now">{now === null ? "–" : <Short of={now.live} />}</Figure>
        <Figure label="spawned" hint="Spawned per second, over the last 10 seconds"><Rate of={now?.spawned_per_second ?? null} /></Figure>
        <Figure label="failed" hint="Share of what finished in the last minute that ended in error or panic"><Share of={now?.failed_share ?? null} /></Figure>
        {now !== null && 0 < now.blocked ? (
          <Figure label="blocked" hint="In one poll for longer than blocked_after: these hold a worker thread" bad><Short of={now.blocked} /></Figure>
        ) : (
          <Figure label="untracked" hint="Alive tasks of the runtime that headcount does not track, approximately: mostly connections and pools">
            {now?.untracked == null ? "–" : <Short of={now.untracked} />}
          </Figure>
        )}
      </dl>
      <span class="tools">
        <button type="button" class="tool" aria-label={`Switch to ${shownTheme.value === "dark" ? "light" : "dark"}`} title="Light or dark (d)" onClick={switchTheme}>
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><circle cx="8" cy="8" r="6" class="line" /><path d="M8 2a6 6 0 0 1 0 12Z" class="fill" /></svg>
        </button>
        <button type="button" class="tool" aria-label="Help" title="Help (?)" onClick={() => (helping.value = true)}>?</button>
      </span>
    </div>
  );
}

function Figure({ label, hint, bad = false, children }: { label: string; hint: string; bad?: boolean; children: preact.ComponentChildren }) {
  return (
    <div class={bad ? "bad" : undefined} title={hint}>
      <dd>{children}</dd>
      <dt>{label}</dt>
    </div>
  );
}

function StageMark() {
  return (
    <svg class={`stage-mark stage-${stage.value}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <circle cx="8" cy="8" r="6" class="ring" />
      <circle cx="8" cy="8" r="3" class="core" />
    </svg>
  );
}

function StageWord({ drain }: { drain: boolean }) {
  const now = summary.value;
  const stopping = shutdown.value;
  const word = stage.value;
  useAnnounced(word);
  if (now === null) return <span class="stage soft">{word}</span>;
  if (stopping !== null && !drain) {
    return (
      <button type="button" class="stage-return" onClick={() => (takeover.value = true)}>
        {word}<Remaining /> · show
      </button>
    );
  }
  if (word !== "running") return <span class={`stage stage-word-${word}`}>{word}</span>;
  return (
    <span class="stage soft">
      running <Duration seconds={Math.floor(now.uptime_seconds + Math.max(0, second.value - summaryAt.value) / 1_000)} />
    </span>
  );
}

function Remaining() {
  const stopping = shutdown.value;
  if (stopping?.remaining_seconds == null || stopping.report !== null) return null;
  return <> · <Amount of={countdown(Math.max(0, stopping.remaining_seconds))} /> left</>;
}

/** Changes of stage are worth saying aloud. */
function useAnnounced(word: string): void {
  const before = useRef(word);
  useEffect(() => {
    if (before.current !== word && before.current !== "connecting") announcement.value = `The process is ${word}`;
    before.current = word;
  }, [word]);
}

const TABS: { view: View; label: string }[] = [
  { view: "groups", label: "Groups" },
  { view: "tasks", label: "Tasks" },
  { view: "finished", label: "Finished" },
  { view: "lifetime", label: "Lifetime" },
];

export function Navigation({ drain }: { drain: boolean }) {
  const { view, q } = place.value;
  const stopping = shutdown.value !== null;
  const here = drain ? "lifetime" : view === "task" ? "tasks" : view;
  return (
    <div class="nav">
      <nav aria-label="Views">
        {TABS.map((tab) => (
          <a key={tab.view} href={address({ view: tab.view, q })} aria-current={here === tab.view ? "page" : undefined}>
            {tab.view === "lifetime" && stopping ? "Shutdown" : tab.label}
            <TabCount view={tab.view} />
          </a>
        ))}
      </nav>
      {!drain && view !== "lifetime" && view !== "task" && <Search />}
      <Freshness />
    </div>
  );
}

function TabCount({ view }: { view: View }) {
  const now = summary.value;
  if (now === null) return null;
  if (view === "groups") return <span class="tab-count">{count(now.groups_total)}</span>;
  return view === "tasks" ? <span class="tab-count"><Short of={now.live} /></span> : null;
}

const TYPED = 150;

function Search() {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const box = useRef<HTMLInputElement>(null);
  const { q, view } = place.value;
  useEffect(() => {
    if (box.current !== null && box.current !== document.activeElement) box.current.value = q;
    if (q === "" && box.current !== null) box.current.value = "";
  }, [q]);
  const search = (value: string) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => adjust({ q: value.trim(), cursor: null, from: null }), TYPED);
  };
  return (
    <label class="search">
      <span class="unseen">Search {view}</span>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><circle cx="7" cy="7" r="4.5" class="line" /><path d="m10.5 10.5 3.5 3.5" class="line" /></svg>
      <input ref={box} data-search type="search" placeholder={`Search ${view}`} autocomplete="off" spellcheck={false} defaultValue={q} onInput={(event) => search(event.currentTarget.value)} />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}

const QUIET = 2.5;

function Freshness() {
  const quiet = silence.value;
  const { state } = link.value;
  const pid = summary.value?.pid;
  if (state === "connecting") return <span class="fresh late">connecting</span>;
  if (state === "lost" || (quiet !== null && QUIET < quiet)) {
    return <span class="fresh late">{gone.value ? "no answer" : "reconnecting"}, last seen {text(age(Math.floor(quiet ?? 0)))} ago</span>;
  }
  return (
    <span class="fresh">
      {state === "polling" && <span title="As many pages as allowed watch already">asking every 2 s · </span>}
      pid {pid} <span class="beat">· live</span>
    </span>
  );
}
