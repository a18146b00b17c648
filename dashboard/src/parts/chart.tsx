// uPlot, fitted to its place and drawn again with the theme.

import uPlot from "uplot";
import { useEffect, useRef } from "preact/hooks";
import { shownTheme } from "../theme.ts";

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
  options: (inks: Inks) => Omit<uPlot.Options, "width" | "height">;
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
    const made = new uPlot({ ...options(inksOf(element)), width: element.clientWidth, height }, newest.current, element);
    plot.current = made;
    const watcher = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
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
