import { locked } from "./api.ts";
import { Help } from "./help.tsx";
import { Navigation, TopLine } from "./frame-lines.tsx";
import { announcement } from "./parts/copy.tsx";
import { Foreign, Notices } from "./notices.tsx";
import { foreign, isBound, place, type View } from "./place.ts";
import { gone, stopping } from "./store.ts";
import { Token } from "./token.tsx";
import { Drain } from "./views/drain.tsx";
import { End } from "./views/end.tsx";
import { Finished } from "./views/finished.tsx";
import { Groups } from "./views/groups.tsx";
import { Lifetime } from "./views/lifetime.tsx";
import { Services } from "./views/services.tsx";
import { OneTask } from "./views/task.tsx";
import { Tasks } from "./views/tasks.tsx";

const VIEWS: Record<View, () => preact.ComponentChildren> = {
  groups: () => <Groups />,
  tasks: () => <Tasks />,
  finished: () => <Finished />,
  services: () => <Services />,
  lifetime: () => <Lifetime />,
  task: () => <OneTask />,
  shutdown: () => <Drain />,
  end: () => <End />,
};

/** For screen readers; the other views have heads of their own. */
const HEADS: Partial<Record<View, string>> = { groups: "Groups", tasks: "Live tasks", finished: "Finished tasks", services: "Services and timers" };

export function App() {
  if (locked.value !== null) return <Token refused={locked.value.refused} />;
  const { view } = place.value;
  const drain = view === "shutdown" && stopping.value;
  const head = HEADS[view];
  const elsewhere = foreign.value && view !== "end" && isBound(place.value);
  return (
    <>
      <a class="skip" href="#main">Skip to the view</a>
      <header class="frame">
        <TopLine drain={drain} />
        <Navigation drain={drain} />
      </header>
      <Notices />
      <main id="main" tabIndex={-1} class={gone.value && !drain && view !== "end" ? "stale" : undefined}>
        {head !== undefined && <h1 class="unseen">{head}</h1>}
        {elsewhere ? <Foreign /> : VIEWS[view]()}
      </main>
      <Help />
      <div class="unseen" role="status">{announcement}</div>
    </>
  );
}
