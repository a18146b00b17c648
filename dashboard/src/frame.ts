// Draws arrivals once per animation frame. While the tab is hidden nothing is drawn, and the newest arrival
// of each kind waits until the tab is visible again.

const waiting = new Map<string, () => void>();
let scheduled = false;

/** Runs `draw` in the next frame; a later call with the same key replaces it. */
export function onFrame(key: string, draw: () => void): void {
  // Deleted first, so that the order is that of the newest of each kind.
  waiting.delete(key);
  waiting.set(key, draw);
  schedule();
}

/** Forgets what waits under keys that begin so. */
export function dropFrames(prefix: string): void {
  for (const key of [...waiting.keys()]) if (key.startsWith(prefix)) waiting.delete(key);
}

function schedule(): void {
  if (scheduled || document.visibilityState === "hidden" || waiting.size === 0) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    const draws = [...waiting.values()];
    waiting.clear();
    for (const draw of draws) draw();
  });
}

export function watchVisibility(): void {
  document.addEventListener("visibilitychange", () => {
    // A frame asked for before the tab was hidden may never come.
    scheduled = false;
    schedule();
  });
}
