import { locked } from "./api.ts";
import { Help } from "./help.tsx";
import { Navigation, TopLine } from "./frame-lines.tsx";
import { announcement } from "./parts/copy.tsx";
import { Notices } from "./notices.tsx";
import { place, type View } from "./place.ts";
import { gone, shutdown, takeover } from "./store.ts";
import { Token } from "./token.tsx";
import { Drain } from "./views/drain.tsx";
import { Finished } from "./views/finished.tsx";
import { Groups } from "./views/groups.tsx";
import { Lifetime } from "./views/lifetime.tsx";
import { OneTask } from "./views/task.tsx";
import { Tasks } from "./views/tasks.tsx";

const VIEWS: Record<View, () => preact.ComponentChildren> = {
  groups: () => <Groups />,
  tasks: () => <Tasks />,
  finished: () => <Finished />,
  lifetime: () => <Lifetime />,
  task: () => <OneTask />,
};

/** For those that hear the page; the other views have heads of their own. */
const HEADS: Record<View, string | null> = { groups: "Groups", tasks: "Live tasks", finished: "Finished tasks", lifetime: null, task: null };

export function App() {
  if (locked.value !== null) return <Token refused={locked.value.refused} />;
  const stopping = shutdown.value !== null;
  const drain = stopping && (takeover.value || place.value.view === "lifetime");
  return (
    <>
      <a class="skip" href="#main">Skip to the view</a>
      <header class="frame">
        <TopLine drain={drain} />
        <Navigation drain={drain} />
      </header>
      <Notices />
      <main id="main" tabIndex={-1} class={gone.value && !drain ? "stale" : undefined}>
        {!drain && HEADS[place.value.view] !== null && <h1 class="unseen">{HEADS[place.value.view]}</h1>}
        {drain ? <Drain /> : VIEWS[place.value.view]()}
      </main>
      <Help />
      <div class="unseen" role="status">{announcement}</div>
    </>
  );
}
