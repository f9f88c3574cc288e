/** Light, dark, or as the system has it. public/theme.js sets it before the first paint. */
import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const KEY = "hermez-theme";
const listeners = new Set<() => void>();
const system = () => matchMedia("(prefers-color-scheme: dark)");

let choice: Theme = stored();

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

function paint() {
  const dark = choice === "dark" || (choice === "system" && system().matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

export function setTheme(theme: Theme) {
  choice = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Storage can be forbidden; the choice then lasts as long as the page.
  }
  paint();
  for (const listener of listeners) listener();
}

/** Follows the system for as long as the page is open. */
export function watchTheme() {
  paint();
  system().addEventListener("change", paint);
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
};

export const useTheme = (): Theme => useSyncExternalStore(subscribe, () => choice);
