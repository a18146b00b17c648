import { count, plain, share } from "../format.ts";
import type { Progress } from "../wire.ts";

/** What the task says of itself: its words, and how far it has come. */
export function Status({ status, progress }: { status: string | null; progress: Progress | null }) {
  if (status === null && progress === null) return null;
  return (
    <span class="status">
      {status !== null && <bdi class="said" title={plain(status)}>{`“${plain(status)}”`}</bdi>}
      {progress !== null && <Meter of={progress} />}
    </span>
  );
}

export function Meter({ of }: { of: Progress }) {
  const done = of.total > 0 ? Math.min(1, Math.max(0, of.done / of.total)) : null;
  if (done === null) return <span class="meter-text">{count(of.done)} done</span>;
  const { figure, unit } = share(done);
  return (
    <span class="meter" title={`${count(of.done)} of ${count(of.total)}`}>
      <svg class="bar" viewBox="0 0 100 8" width="64" height="8" preserveAspectRatio="none" aria-hidden="true">
        <rect class="rest" width="100" height="8" rx="2" />
        <rect class="done" width={done * 100} height="8" rx="2" />
      </svg>
      <span class="meter-text">{`${figure} ${unit}`}</span>
    </span>
  );
}
