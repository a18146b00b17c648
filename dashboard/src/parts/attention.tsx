import { useState } from "preact/hooks";
import { addressOf, attentionOf, type Shown } from "../attention.ts";
import { plural } from "../format.ts";
import { link } from "../place.ts";
import { groups, summary } from "../store.ts";
import type { Attention } from "../wire.ts";
import { Mark } from "./mark.tsx";
import { Outside } from "./name.tsx";
import { Time } from "./time.tsx";

/** As many as are seen before the list is opened, where the window is narrow. */
const FIRST = 2;

export function useAttention(): Shown {
  return attentionOf(summary.value, groups.value);
}

/** At most five sentences, the gravest first. The place they take does not change with their number. */
export function AttentionPanel({ shown }: { shown: Shown }) {
  const [all, setAll] = useState(false);
  const hidden = shown.items.length - FIRST;
  return (
    <section class={`attention ${all ? "all" : ""}`} aria-label="Needs attention">
      {shown.items.length === 0 ? (
        <p class="calm">Nothing needs attention.</p>
      ) : (
        <ol>
          {shown.items.map((item) => (
            <li key={item.sentence.replace(/\d+/g, "")}>
              <Sentence of={item} />
            </li>
          ))}
        </ol>
      )}
      {hidden > 0 && (
        <button type="button" class="attention-more" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Fewer" : `${hidden} more`}
        </button>
      )}
    </section>
  );
}

/** On the other views: the gravest, and how many more there are. */
export function AttentionLine({ except = null }: { except?: number | null }) {
  const { items: all, more } = useAttention();
  const items = all.filter(({ link: { task } }) => task === null || task !== except);
  const [first] = items;
  const others = items.length - 1 + more;
  return (
    <div class="attention-line" role="region" aria-label="Needs attention">
      {first === undefined ? <span class="calm">Nothing needs attention.</span> : <Sentence of={first} />}
      {others > 0 && <a class="attention-others" href={link({ view: "groups" })}>and {plural(others, "more", "more")}</a>}
    </div>
  );
}

export function Sentence({ of }: { of: Attention }) {
  const { severity, sentence, since, location } = of;
  return (
    <a class={`sentence is-${severity}`} href={addressOf(of.link)} title={sentence}>
      <Mark of={severity} />
      <span class="unseen">{severity}: </span>
      <span class="sentence-text">
        <Outside text={sentence} />
        {since !== null && !/ since /.test(sentence) && <span class="soft"> since <Time at={since} /></span>}
        {location !== null && !sentence.includes(location) && <span class="soft"> at <bdi dir="ltr">{location}</bdi></span>}
      </span>
    </a>
  );
}
