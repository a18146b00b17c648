import { signal } from "@preact/signals";
import { useRef, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";

/** Said to screen readers. */
export const announcement = signal("");

/** A button that is the text it copies. */
export function Copy({ text, children, class: name }: { text: string; children?: ComponentChildren; class?: string }) {
  const [copied, setCopied] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const copy = async () => {
    const done = await toClipboard(text);
    if (!done) return;
    announcement.value = "Copied";
    setCopied(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setCopied(false), 1_200);
  };
  return (
    <button type="button" class={`copy ${name ?? ""}`} title={`Copy ${text}`} data-copied={copied || undefined} onClick={copy}>
      {children ?? <bdi>{text}</bdi>}
    </button>
  );
}

async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return selectAndCopy(text);
  }
}

/** For pages on plain HTTP beyond loopback, where the clipboard API is absent. */
function selectAndCopy(text: string): boolean {
  const before = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  return done;
}
