// States, outcomes and severities as shape and word; colour only adds to them.

import type { ComponentChildren } from "preact";
import type { Outcome, ServiceState, Severity, State } from "../wire.ts";

export type Known = State | Outcome | Severity | ServiceState;

const ABANDONED = <path d="M1.8 6h8.4" class="line thick" />;

const SHAPES: Record<Known, ComponentChildren> = {
  queued: <circle cx="6" cy="6" r="4" class="line dotted" />,
  idle: <circle cx="6" cy="6" r="4" class="line" />,
  running: <path d="M3 1.8 10.2 6 3 10.2Z" class="fill" />,
  blocked: <rect x="2" y="2" width="8" height="8" rx="1" class="fill" />,
  waiting: <path d="M6 1.6a4.4 4.4 0 1 0 0 8.8 4.4 4.4 0 1 0 0-8.8ZM6 3.4V6l1.9 1.3" class="line" />,
  backing_off: <path d="M9.6 4A4 4 0 1 0 10 6.8M10 1.6V4H7.6" class="line" />,
  failed: <path d="M2.8 2.8 9.2 9.2M9.2 2.8 2.8 9.2" class="line thick" />,
  ended: <path d="M2 6.4 4.8 9.2 10 3.2" class="line" />,
  stopped: <rect x="2.5" y="2.5" width="7" height="7" class="line" />,
  lost: <path d="M6 1.2v5.6M6 9.4v1.2" class="line thick" />,
  limited: <path d="M3.5 2v8M8.5 2v8" class="line" />,
  ok: <path d="M2 6.4 4.8 9.2 10 3.2" class="line" />,
  error: <path d="M2.8 2.8 9.2 9.2M9.2 2.8 2.8 9.2" class="line" />,
  panic: <path d="M6 1.2v5.6M6 9.4v1.2" class="line thick" />,
  cancelled: <path d="M6 2a4 4 0 1 0 0 8 4 4 0 1 0 0-8ZM3.2 8.8 8.8 3.2" class="line" />,
  timeout: <path d="M2.6 1.6h6.8L6 6l3.4 4.4H2.6L6 6Z" class="line" />,
  rejected: <path d="M2 6h8M7 3l3 3-3 3M2 2v8" class="line" />,
  abandoned: ABANDONED,
  aborted: ABANDONED,
  critical: <path d="M6 .8 11.2 6 6 11.2.8 6Z" class="fill" />,
  warning: <path d="M6 1.6 11 10.4H1ZM6 5v2.4M6 8.7v.4" class="line" />,
  notice: <path d="M6 1.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 1 0 0-9ZM6 5.4v3M6 3.4v.6" class="line" />,
};

export function Mark({ of, title }: { of: Known; title?: string }) {
  return (
    <svg class={`mark is-${of}`} viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      {title !== undefined && <title>{title}</title>}
      {SHAPES[of]}
    </svg>
  );
}

export function wordOf(known: Known): string {
  return known === "aborted" ? "abandoned" : known === "backing_off" ? "backing off" : known;
}

export function Word({ of, children }: { of: Known; children?: ComponentChildren }) {
  return (
    <span class={`word is-${of}`}>
      <Mark of={of} />
      {wordOf(of)}
      {children}
    </span>
  );
}
