// An action asks once, in place. While it asks, lists hold still; a double click never confirms, because what
// takes the place of the button is the way back.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { explain } from "../api.ts";
import { announcement } from "./copy.tsx";

/** How many questions are open. */
export const asking = signal(0);

export interface ConfirmProps {
  /** What the button says, and what the one that confirms says. */
  label: string;
  verb: string;
  /** What will happen. */
  question: ComponentChildren;
  keep?: string;
  done: string;
  run: () => Promise<void>;
  grave?: boolean;
  /** Nothing would hear it. A question that is open already can still be answered. */
  disabled?: boolean;
  /** For screen readers, where the label alone does not say of what. */
  of?: string;
}

type Step = "rest" | "asks" | "acts" | "done";

export function Confirm({ label, verb, question, keep = "Keep", done, run, grave = false, disabled = false, of }: ConfirmProps) {
  const [step, setStep] = useState<Step>("rest");
  const [problem, setProblem] = useState<string | null>(null);
  const open = step === "asks" || step === "acts";
  const button = useRef<HTMLButtonElement>(null);
  const back = useRef<HTMLButtonElement>(null);
  const after = useRef<HTMLSpanElement>(null);

  useEffect(() => {
    if (!open) return;
    asking.value += 1;
    back.current?.focus();
    return () => {
      asking.value -= 1;
    };
  }, [open]);

  // The reader stays at the row.
  useLayoutEffect(() => after.current?.focus({ preventScroll: true }), [step]);

  const leave = () => {
    setStep("rest");
    setProblem(null);
    queueMicrotask(() => button.current?.focus());
  };
  const act = async () => {
    if (step === "acts") return;
    setStep("acts");
    try {
      await run();
      announcement.value = done;
      setStep("done");
    } catch (error) {
      setProblem(explain(error));
      announcement.value = explain(error);
      setStep("asks");
    }
  };

  if (step === "done") return <span ref={after} class="confirm-done" tabIndex={-1}>{done}</span>;
  if (!open) {
    return (
      <button
        ref={button}
        type="button"
        class={grave ? "button grave" : "button"}
        disabled={disabled}
        aria-label={of === undefined ? undefined : `${label} ${of}`}
        onClick={() => setStep("asks")}
      >
        {label}
      </button>
    );
  }
  return (
    <span
      class="confirm"
      role="group"
      aria-label={label}
      data-asking
      onKeyDown={(event) => {
        if (event.key === "Escape") leave();
      }}
    >
      <span class="confirm-box">
        <span class="confirm-question" role="alert">
          {problem ?? question}
        </span>
        <button type="button" class={`button firm ${grave ? "grave" : ""}`} aria-disabled={step === "acts"} onClick={act}>
          {problem === null ? verb : "Try again"}
        </button>
      </span>
      <button ref={back} type="button" class="button" onClick={leave}>
        {keep}
      </button>
    </span>
  );
}
