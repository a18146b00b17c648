// Light and dark follow the system; the switch overrides and is remembered.

import { signal } from "@preact/signals";
import { forGood } from "./storage.ts";

export type Theme = "system" | "light" | "dark";

const KEY = "headcount-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

function remembered(): Theme {
  const kept = forGood.get(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

export const theme = signal<Theme>("system");
/** What is shown, the system's choice resolved: canvases draw again when it changes. */
export const shownTheme = signal<"light" | "dark">("light");

function apply(): void {
  const { documentElement } = document;
  if (theme.value === "system") delete documentElement.dataset["theme"];
  else documentElement.dataset["theme"] = theme.value;
  const system = dark.matches ? "dark" : "light";
  shownTheme.value = theme.value === "system" ? system : theme.value;
}

export function followTheme(): void {
  theme.value = remembered();
  apply();
  dark.addEventListener("change", apply);
}

/** The other of light and dark; back to following when that is what the system shows. */
export function switchTheme(): void {
  const wanted = shownTheme.value === "dark" ? "light" : "dark";
  const system = dark.matches ? "dark" : "light";
  theme.value = wanted === system ? "system" : wanted;
  if (theme.value === "system") forGood.remove(KEY);
  else forGood.set(KEY, theme.value);
  apply();
}
