// More time for the stop, with one click that can be undone as easily. The request leaves two seconds later,
// or at once where time is short, so that undoing it needs nothing from the server.

import { useEffect, useRef, useState } from "preact/hooks";
import { explain, post } from "../api.ts";
import { setting } from "../format.ts";
import { roomOf } from "../outlook.ts";
import { lost } from "../store.ts";
import type { Shutdown, Summary } from "../wire.ts";
import { announcement } from "./copy.tsx";

const CHOICES: { label: string; seconds: number }[] = [
  { label: "+30 s", seconds: 30 },
  { label: "+2 m", seconds: 120 },
];
/** The most that the server grants: the stop then ends when the tasks have. */
const DAY = 86_400;
const SECOND_THOUGHTS = 2_000;
/** With less time than that left, an extension leaves at once. */
const URGENT = 6;

type Step = { is: "rest" } | { is: "waits"; seconds: number } | { is: "said"; words: string };

export function Extend({ now, stop }: { now: Summary; stop: Shutdown }) {
  const [step, setStep] = useState<Step>({ is: "rest" });
  const wanted = useRef(0);
  const group = useRef<HTMLSpanElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  const send = async () => {
    const seconds = wanted.current;
    wanted.current = 0;
    if (seconds === 0) return;
    try {
      await post("shutdown/extend", now.instance, { seconds: Math.min(DAY, seconds) });
      say(seconds >= DAY ? "Extended until done" : `Extended by ${setting(seconds)}`);
    } catch (error) {
      say(explain(error));
    }
  };
  const say = (words: string) => {
    announcement.value = words;
    setStep({ is: "said", words });
    timer.current = setTimeout(() => setStep({ is: "rest" }), 4_000);
  };
  const extend = (seconds: number) => {
    clearTimeout(timer.current);
    wanted.current = Math.min(DAY, wanted.current + seconds);
    setStep({ is: "waits", seconds: wanted.current });
    const urgent = (stop.remaining_seconds ?? 0) < URGENT;
    if (urgent) void send();
    else timer.current = setTimeout(send, SECOND_THOUGHTS);
  };
  const undo = () => {
    clearTimeout(timer.current);
    wanted.current = 0;
    group.current?.querySelector<HTMLElement>("button:not(.link)")?.focus();
    say("Not extended");
  };

  // Leaving the page is a decision as well.
  useEffect(() => {
    const leave = () => void send();
    addEventListener("pagehide", leave);
    return () => removeEventListener("pagehide", leave);
  });

  const room = roomOf(now, stop);
  const offered = [...CHOICES, { label: "until done", seconds: DAY }];
  return (
    <span ref={group} class="extend" role="group" aria-label="Extend the deadline">
      <span class="extend-note">
        {step.is === "waits" && <>Extending {step.seconds >= DAY ? "until done" : `by ${setting(step.seconds)}`} <button type="button" class="link" onClick={undo}>Undo</button></>}
        {step.is === "said" && step.words}
        {step.is === "rest" && room !== null && <span class={room < 30 ? "late" : undefined}>{room <= 0 ? "the platform kills it before an extension ends" : `the platform kills it ${setting(Math.round(room))} after the deadline`}</span>}
      </span>
      {offered.map(({ label, seconds }) => {
        const beyond = room !== null && room < seconds;
        const hint = beyond ? `The platform kills the process ${setting(now.lifetime.platform_grace_seconds)} after its signal: more time than that is lost` : seconds === DAY ? "Until every task has ended, at most a day" : `Moves the deadline by ${setting(seconds)}, and the exit with it`;
        return (
          <button key={label} type="button" class={`button ${beyond ? "beyond" : ""}`} title={hint} aria-label={`Extend ${label}${beyond ? ", past what the platform grants" : ""}`} disabled={lost.value || (beyond && room <= 0)} onClick={() => extend(seconds)}>
            {label}
          </button>
        );
      })}
    </span>
  );
}
