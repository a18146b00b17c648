// uPlot, fitted to its container and redrawn when the theme changes. It loads separately, after the figures,
// which do not wait for it.

import type uPlot from "uplot";
import { useEffect, useRef } from "preact/hooks";
import { shownTheme } from "../theme.ts";

type Library = { default: typeof uPlot };

let asked: Promise<Library> | null = null;

/** Asked for when the first chart is wanted, and again where that fails. */
function library(): Promise<Library> {
  const answer = asked ?? import("uplot");
  asked = answer;
  answer.catch(() => (asked = null));
  return answer;
}

export interface Inks {
  line: string;
  fill: string;
  grid: string;
  text: string;
  warning: string;
}

export type Data = uPlot.AlignedData;

interface PlotProps {
  data: Data;
  height: number;
  /** Called once for each theme; must not depend on what changes. */
  options: (inks: Inks, paths: typeof uPlot.paths) => Omit<uPlot.Options, "width" | "height">;
  label: string;
  class?: string;
}

export function Plot({ data, height, options, label, class: name }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const newest = useRef(data);
  const theme = shownTheme.value;
  newest.current = data;

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const watcher = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    let left = false;
    const make = ({ default: Made }: Library) => {
      if (left) return;
      plot.current = new Made({ ...options(inksOf(element), Made.paths), width: element.clientWidth, height }, newest.current, element);
      watcher.observe(element);
    };
    // Without charts the page is still worth having.
    library().then(make, () => undefined);
    return () => {
      left = true;
      watcher.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [theme, height]);

  useEffect(() => plot.current?.setData(data), [data]);

  return <div ref={place} class={`plot plot-${height} ${name ?? ""}`} role="img" aria-label={label} />;
}

function inksOf(element: HTMLElement): Inks {
  const style = getComputedStyle(element);
  const ink = (name: string) => style.getPropertyValue(name);
  return {
    line: ink("--plot-line"),
    fill: ink("--plot-fill"),
    grid: ink("--line"),
    text: ink("--ink-soft"),
    warning: ink("--blocked"),
  };
}
