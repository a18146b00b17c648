import { age, count, duration, NONE, type Part, rate, share, short } from "../format.ts";

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
