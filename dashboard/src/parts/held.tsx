import { count } from "../format.ts";
import { resume } from "../live.ts";
import { paused } from "../store.ts";

interface HeldNoteProps {
  held: boolean;
  /** How many have come since it stands still. */
  newer: number;
  /** Lets go of the list. */
  release: () => void;
}

/** Says that a list stands still, for how much, and lets it go on. Its place is always there. */
export function HeldNote({ held, newer, release }: HeldNoteProps) {
  const goOn = () => {
    release();
    if (paused.value) resume();
  };
  return (
    <span class="held-note">
      {held && (
        <>
          held{newer > 0 && <> · {count(newer)} newer</>}{" "}
          <button type="button" class="link" title={paused.value ? "Go on (Space)" : undefined} onClick={goOn}>Go on</button>
        </>
      )}
    </span>
  );
}
