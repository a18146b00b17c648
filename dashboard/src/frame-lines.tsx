// The two lines that are always there: the process and its state; the reader's place and how fresh it all is.

import { useEffect, useRef } from "preact/hooks";
import { age, countdown, text } from "./format.ts";
import { helping, togglePause } from "./keys.ts";
import { Amount, Growing, Rate, Share, Short } from "./parts/amount.tsx";
import { announcement } from "./parts/copy.tsx";
import { Outside } from "./parts/name.tsx";
import { ZoneSwitch } from "./parts/time.tsx";
import { adjust, link as address, place, type View } from "./place.ts";
import { gone, link, paused, shutdown, silence, stage, stopping, summary, summaryAt } from "./store.ts";
import { shownTheme, switchTheme } from "./theme.ts";

export function TopLine({ drain }: { drain: boolean }) {
  const now = summary.value;
  return (
    <div class="top">
      <span class="process">
        <StageMark />
        <span class="service">{now === null ? "headcount" : <Outside text={now.service} />}</span>
        <StageWord drain={drain} />
      </span>
      {/* While it stops, the view below has the figures that count. */}
      <dl class={`figures ${gone.value ? "stale" : ""} ${drain ? "hushed" : ""}`}>
        <Figure label="live" hint="Tasks alive now">{now === null ? "–" : <Short of={now.live} />}</Figure>
        <Figure label="spawned" hint="Spawned per second, over the last 10 seconds"><Rate of={now?.spawned_per_second ?? null} /></Figure>
        <Figure label="failed" hint="Share of what finished in the last minute that ended in error or panic"><Share of={now?.failed_share ?? null} /></Figure>
        {now !== null && 0 < now.blocked ? (
          <Figure label="blocked" hint="In one poll for longer than blocked_after: these hold a worker thread" bad to={address({ view: "tasks", state: "blocked" })}><Short of={now.blocked} /></Figure>
        ) : (
          <Figure label="untracked" hint="Alive tasks of the runtimes that headcount does not track, approximately: mostly connections and pools">
            {now?.untracked == null ? "–" : <Short of={now.untracked} />}
          </Figure>
        )}
      </dl>
      <span class="tools">
        {!stopping.value && (
          <button type="button" class="tool" aria-pressed={paused.value} aria-label={paused.value ? "Go on" : "Pause"} title={paused.value ? "Go on (Space)" : "Pause: everything stands still (Space)"} onClick={togglePause}>
            <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">{paused.value ? <path d="M5 3.5 12 8l-7 4.5Z" class="fill" /> : <path d="M5.5 4v8M10.5 4v8" class="line" />}</svg>
          </button>
        )}
        <button type="button" class="tool" aria-label={`Switch to ${shownTheme.value === "dark" ? "light" : "dark"}`} title="Light or dark (d)" onClick={switchTheme}>
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><circle cx="8" cy="8" r="6" class="line" /><path d="M8 2a6 6 0 0 1 0 12Z" class="fill" /></svg>
        </button>
        <button type="button" class="tool" aria-label="Help" title="Help (?)" onClick={() => (helping.value = true)}>?</button>
      </span>
    </div>
  );
}

interface FigureProps {
  label: string;
  hint: string;
  bad?: boolean;
  to?: string;
  children: preact.ComponentChildren;
}

function Figure({ label, hint, bad = false, to, children }: FigureProps) {
  return (
    <div class={bad ? "bad" : undefined} title={hint}>
      <dt>{label}</dt>
      <dd>{to === undefined ? children : <a href={to}>{children}<span class="unseen"> {label}: show</span></a>}</dd>
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
  const stop = shutdown.value;
  const word = stage.value;
  useAnnounced(word);
  if (now === null) return <span class="stage soft">{word}</span>;
  if (stop !== null && !drain) {
    return (
      <a class="stage-return" href={address({ view: "shutdown" })}>
        {word}<Remaining /> · show
      </a>
    );
  }
  if (word !== "running") return <span class={`stage stage-word-${word}`}>{word}</span>;
  return (
    <span class="stage soft">
      running <Growing seconds={Math.floor(now.uptime_seconds)} at={summaryAt.value} />
    </span>
  );
}

function Remaining() {
  const stop = shutdown.value;
  if (stop?.remaining_seconds == null || stop.report !== null) return null;
  return <> · <Amount of={countdown(Math.max(0, stop.remaining_seconds))} /> left</>;
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
  { view: "services", label: "Services" },
  { view: "lifetime", label: "Lifetime" },
];

export function Navigation({ drain }: { drain: boolean }) {
  const { view, q } = place.value;
  // A process without them, and an older server, has no tab for them.
  const tabs = TABS.filter((tab) => tab.view !== "services" || view === "services" || 0 < (summary.value?.services ?? 0));
  const here = drain || view === "end" ? "lifetime" : view === "task" ? "tasks" : view;
  return (
    <div class="nav">
      <nav aria-label="Views">
        {tabs.map((tab) => (
          <a key={tab.view} href={address(tab.view === "lifetime" ? { view: stopping.value ? "shutdown" : "lifetime" } : tab.view === "services" ? { view: tab.view } : { view: tab.view, q })} aria-current={here === tab.view ? "page" : undefined}>
            {tab.view === "lifetime" && stopping.value ? "Shutdown" : tab.label}
          </a>
        ))}
      </nav>
      {["groups", "tasks", "finished"].includes(view) && <Search />}
      <Freshness />
    </div>
  );
}

const TYPED = 150;

/** What a search may look like: words, and filters by name. */
const EXAMPLES: Partial<Record<View, string>> = {
  groups: "Search, or p95:>10s",
  tasks: "Search, or state:blocked age:>5m",
  finished: "Search, or outcome:panic",
};

function Search() {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const box = useRef<HTMLInputElement>(null);
  const { q, view } = place.value;
  useEffect(() => {
    if (box.current !== null && box.current !== document.activeElement) box.current.value = q;
  }, [q]);
  const search = (value: string) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => adjust({ q: value.trim(), cursor: null, from: null }), TYPED);
  };
  return (
    <label class="search">
      <span class="unseen">Search {view}</span>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><circle cx="7" cy="7" r="4.5" class="line" /><path d="m10.5 10.5 3.5 3.5" class="line" /></svg>
      <input ref={box} data-search type="search" placeholder={EXAMPLES[view] ?? "Search"} autocomplete="off" spellcheck={false} defaultValue={q} onInput={(event) => search(event.currentTarget.value)} />
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
      <ZoneSwitch />
      <span>
        {state === "polling" && <span title="As many pages as allowed watch already">asking every 2 s · </span>}
        <span class="of-pid">pid {pid} · </span><span class="beat">{paused.value ? <b class="late">paused</b> : "live"}</span>
      </span>
    </span>
  );
}
