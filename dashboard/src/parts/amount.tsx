import { age, type Part, count, duration, estimate, NONE, rate, rough, share, short } from "../format.ts";
import type { Bound, Usual } from "../wire.ts";
import { since } from "./hooks.ts";

/** Figures in full, units small and grey. */
export function Amount({ of }: { of: Part[] }) {
  return (
    <span class="amount">
      {of.map(({ figure, unit }, index) => (
        <>
          {index > 0 && " "}
          <span class={figure === NONE ? "none" : "figure"}>{figure}</span>
          {unit !== "" && <span class="unit">{`\u2009${unit}`}</span>}
        </>
      ))}
    </span>
  );
}

export function Duration({ seconds }: { seconds: number | null }) {
  return <Amount of={duration(seconds)} />;
}

export function Age({ seconds }: { seconds: number | null }) {
  return <Amount of={age(seconds)} />;
}

/** An age as read at `at`, which counts on by itself: nothing around it is drawn again. */
export function Growing({ seconds, at }: { seconds: number | null; at: number }) {
  return <Amount of={age(seconds === null ? null : seconds + since(at))} />;
}

/** A quantile of a group's durations, marked where it is only an upper bound. */
export function Quantile({ of, usual }: { of: "p50" | "p95" | "p99"; usual: Usual | null }) {
  if (usual === null) return <Amount of={duration(null)} />;
  const bound = usual.at_most === true;
  return (
    <span title={bound ? "Too few recent tasks to say more: at most this" : undefined}>
      {bound && "≤\u2009"}
      <Amount of={duration(usual[`${of}_seconds`])} />
    </span>
  );
}

/** Time left, as an estimate. */
export function Left({ seconds, bound }: { seconds: number | null; bound: Bound | null }) {
  if (seconds === null) return <Amount of={duration(null)} />;
  const title = bound === "at_most" ? "At most, from tasks of its group" : `${estimate(seconds, bound)}, from its progress or tasks of its group`;
  return (
    <span title={title}>
      {bound === "at_most" ? "≤\u2009" : "~"}
      <Amount of={rough(seconds)} />
    </span>
  );
}

export function Share({ of }: { of: number | null }) {
  return <Amount of={[share(of)]} />;
}

export function Short({ of }: { of: number }) {
  return (
    <span title={of < 1e5 ? undefined : count(of)}>
      <Amount of={[short(of)]} />
    </span>
  );
}

export function Rate({ of }: { of: number | null }) {
  return <Amount of={[{ figure: rate(of), unit: of === null ? "" : "/s" }]} />;
}
