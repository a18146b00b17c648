import type { ComponentChildren } from "preact";

/** Where nothing is to be shown, what would make it appear. */
export function Empty({ title, heading = false, children }: { title: string; heading?: boolean; children?: ComponentChildren }) {
  return (
    <div class="empty">
      {/* The head of the page where it has no other. */}
      {heading ? <h1 class="empty-title">{title}</h1> : <p class="empty-title">{title}</p>}
      {children}
    </div>
  );
}

export function Code({ lines }: { lines: string[] }) {
  return (
    <pre class="code" tabIndex={0} role="region" aria-label="Example">
      <code>{lines.join("\n")}</code>
    </pre>
  );
}

/** Rows that stand in for a list that has not been read yet. */
export function Skeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div class="skeleton" aria-hidden="true">
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} />
      ))}
    </div>
  );
}

/** How to act while the page is read-only. */
export const ALLOW = "HEADCOUNT_ALLOW_ACTIONS=yes";
