// What can end this process, when, how it would go now, and how the last ones ended.

import { post } from "../api.ts";
import { count, inWords, plain, setting } from "../format.ts";
import { Confirm } from "../parts/confirm.tsx";
import { Copy } from "../parts/copy.tsx";
import { ALLOW, Skeleton } from "../parts/empty.tsx";
import { composed, ForecastDetails } from "../parts/forecast.tsx";
import { Time } from "../parts/time.tsx";
import { forecast, lost, permits, summary } from "../store.ts";
import { Outside } from "../parts/name.tsx";
import { link } from "../place.ts";
import type { Lifetime as Limits, Summary } from "../wire.ts";
import { type Moment, budgetOf } from "./budget.ts";
import { Stops } from "./end.tsx";

export function Lifetime() {
  const now = summary.value;
  if (now === null) return <Skeleton rows={8} />;
  const outlook = forecast.value;
  return (
    <div class="lifetime">
      <div class="lifetime-top">
        <section>
          <h1>What can end this process</h1>
          <ul class="sentences">
            {now.lifetime.sentences.map((sentence) => <li key={sentence}><bdi>{plain(inWords(sentence))}</bdi></li>)}
          </ul>
          <OfGroups of={now.lifetime} />
        </section>
        {outlook !== null && now.shutdown === null && (
          <section class="if-stopped">
            <h2>If it stopped now</h2>
            {outlook.will_be_cut.length + outlook.cannot_abort.length + outlook.unknown + outlook.done === 0 ? <p>{composed(outlook, "If stopped now")}</p> : <ForecastDetails of={outlook} />}
          </section>
        )}
      </div>
      <section>
        <h2>From the signal to the end</h2>
        <Budget of={now.lifetime} />
      </section>
      <div class="one-columns">
        <section>
          <h2>Further settings</h2>
          <Settings of={now.lifetime} />
        </section>
        <section>
          <h2>This process</h2>
          <Identity of={now} />
          <h2>Stop it</h2>
          <Stop of={now} />
        </section>
      </div>
      <section class="last-stops">
        <h2>Last stops</h2>
        <Stops />
      </section>
    </div>
  );
}

/** How long tasks may live, where a timeout or a limit says something about it. */
function OfGroups({ of }: { of: Limits }) {
  const groups = of.groups ?? [];
  return (
    <>
      <h2>How long a task may live</h2>
      <ul class="sentences">
        {groups.map(({ id, name, sentence }) => (
          <li key={id}><a href={link({ view: "groups", open: id })}><Outside text={name} class="given" /></a> <bdi>{plain(inWords(sentence))}</bdi>.</li>
        ))}
        <li>{groups.length === 0 ? "No task" : "No other task"} has a timeout now: each may live as long as the process.</li>
      </ul>
    </>
  );
}

/** The stages of a shutdown to scale, each with its latest end. */
function Budget({ of }: { of: Limits }) {
  const { spans, moments, total } = budgetOf(of);
  const x = (seconds: number) => (100 * seconds) / total;
  return (
    <div class="budget">
      <svg viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
        {spans.map(({ name, from, to }) => (
          <rect key={name} class={`span-${name}`} x={x(from)} y="2" width={Math.max(0, x(to) - x(from))} height="8" />
        ))}
        {moments.map(({ name, at }) => <rect key={name} class="moment" x={Math.min(99.8, x(at))} y="0" width="0.2" height="12" />)}
      </svg>
      <ol class="moments">
        {moments.map((moment) => <MomentLine key={moment.name} of={moment} />)}
      </ol>
    </div>
  );
}

function MomentLine({ of }: { of: Moment }) {
  return (
    <li class={`moment-${of.name}`}>
      <svg viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10" rx="1" class={of.begins === null ? "span-none" : `span-${of.begins}`} /></svg>
      <span class="moment-at">{setting(of.at)}</span> <span>{of.text}{of.setting !== null && <> <code class="soft">{of.setting}</code></>}</span>
    </li>
  );
}

const LINGER: Record<Limits["linger"], string> = {
  off: "ends without waiting for a last scrape",
  auto: "waits for one more scrape of /metrics, where it was scraped before",
};

const LATE_SPAWNS: Record<Limits["late_spawns"], string> = {
  adopt: "tasks spawned during the stop are waited for too",
  refuse: "tasks spawned during the stop are dropped",
};

function Settings({ of }: { of: Limits }) {
  const rows: [string, string, string][] = [
    ["announce_delay", setting(of.announce_delay_seconds), "not ready, still serving"],
    ["drain_timeout", setting(of.drain_timeout_seconds), "for the tasks to end, announcing included"],
    ["hook_timeout", setting(of.hook_timeout_seconds), "for on_abandon, at most"],
    ["abort_grace", setting(of.abort_grace_seconds), "for aborted tasks to end, at most"],
    ["exit_after", setting(of.exit_after_seconds), "from the signal to the exit, at the latest"],
    ["platform_grace", setting(of.platform_grace_seconds), "from the signal to the platform's kill"],
    ["linger", of.linger, LINGER[of.linger]],
    ["late_spawns", of.late_spawns, LATE_SPAWNS[of.late_spawns]],
  ];
  // The picture above has the moments that are settings.
  const shown = new Set(budgetOf(of).moments.map((moment) => moment.setting));
  return (
    <>
      <dl class="facts-list settings">
        {rows.filter(([name]) => !shown.has(name)).map(([name, value, means]) => (
          <><dt><code>{name}</code></dt><dd><b class="setting-value">{value}</b> <span class="soft">{means}</span></dd></>
        ))}
        {of.request_limit !== null && (
          <><dt>request limit</dt><dd>{count(of.request_limit.admitted)} of {count(of.request_limit.limit)} admitted</dd></>
        )}
      </dl>
      <p class="soft">Each, and those above, is a method of the builder and a variable, such as <code>HEADCOUNT_DRAIN_TIMEOUT=40s</code>. The variable wins.</p>
    </>
  );
}

function Identity({ of }: { of: Summary }) {
  return (
    <dl class="facts-list">
      <dt>Service</dt><dd><bdi>{plain(of.service)}</bdi>{of.version !== "" && <span class="soft"> headcount {plain(of.version)}</span>}</dd>
      <dt>pid</dt><dd><Copy text={String(of.pid)} /></dd>
      <dt>Started</dt><dd><Time at={of.started_at} /></dd>
      <dt>Instance</dt><dd><Copy text={of.instance} class="location" /></dd>
      <dt>Spawned</dt><dd>{count(of.spawned)} since then</dd>
    </dl>
  );
}

function Stop({ of }: { of: Summary }) {
  const kill = `kill -TERM ${of.pid}`;
  if (!permits(of, "shutdown")) {
    return (
      <p>
        {permits(of, "cancel") ? "The page may not stop it. Instead," : "This page is read-only. To stop it,"} send a signal: <Copy text={kill} class="location" />. For buttons here, set <Copy text={ALLOW} class="location" />.
      </p>
    );
  }
  const timeout = of.lifetime.drain_timeout_seconds;
  return (
    <Confirm
      label="Shut down…"
      verb="Shut down"
      question={<>Begins the shutdown of pid {of.pid}: {count(of.live)} live, waited for {timeout === null ? "without a deadline" : `up to ${setting(timeout)}`}.</>}
      done="Shutdown begun"
      disabled={lost.value}
      run={() => post("shutdown", of.instance)}
      grave
    />
  );
}
