import { plain } from "../format.ts";
import type { Kind, Labels } from "../wire.ts";

/** Text from the application: its direction stays inside, what hides is shown. */
export function Outside({ text, class: name }: { text: string; class?: string }) {
  return <bdi class={name}>{plain(text)}</bdi>;
}

/** The name in full weight, labels after it in grey, the kind where it is not the usual one. */
export function Name({ name, labels, kind }: { name: string; labels?: Labels; kind?: Kind }) {
  return (
    <span class="name">
      <Outside text={name} class="given" />
      {labels !== undefined && <Pairs of={labels} />}
      {kind !== undefined && kind !== "task" && <span class="kind"> {kind}</span>}
    </span>
  );
}

export function Pairs({ of }: { of: Record<string, string> }) {
  const pairs = Object.entries(of);
  if (pairs.length === 0) return null;
  return (
    <span class="pairs">
      {pairs.map(([key, value]) => (
        <bdi class="pair" key={key}>{` ${plain(key)}=${plain(value)}`}</bdi>
      ))}
    </span>
  );
}
