/** What a page tells the frame about itself: the window's title and the way here. */
import { useEffect, useSyncExternalStore } from "react";

export interface Crumb {
  label: string;
  to?: string;
}

let crumbs: Crumb[] = [];
const listeners = new Set<() => void>();

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
};

/** The last crumb is the page itself. `title` is the window's, when it should say more. */
export function usePage(path: Crumb[], title?: string) {
  const key = JSON.stringify(path);
  useEffect(() => {
    crumbs = JSON.parse(key) as Crumb[];
    for (const listener of listeners) listener();
  }, [key]);
  const words =
    title ??
    path
      .map((crumb) => crumb.label)
      .reverse()
      .join(" · ");
  useEffect(() => {
    document.title = `${words} · Hermez`;
  }, [words]);
}

export const useCrumbs = (): Crumb[] => useSyncExternalStore(subscribe, () => crumbs);
