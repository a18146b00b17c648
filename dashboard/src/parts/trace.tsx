import { Outside } from "./name.tsx";
import { summary } from "../store.ts";

/**
 * Where a trace is seen; null where there is no such place. The server checks the URL where it is set; a
 * scheme that runs code is refused here again, since this is the place where it would run.
 */
export function traceHref(url: string | null | undefined, id: string): string | null {
  if (url == null || !/^https?:\/\/[^/{}]+\//i.test(url)) return null;
  return url.replaceAll("{trace_id}", () => encodeURIComponent(id));
}

/** The id of a trace, as a link where the process knows one. */
export function Trace({ id }: { id: string }) {
  const href = traceHref(summary.value?.trace_url, id);
  if (href === null) return <Outside text={id} class="value" />;
  return <a href={href} rel="noreferrer"><Outside text={id} class="value" /></a>;
}
