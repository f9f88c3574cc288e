/** Everything that can be done here and now: for the palette, the shortcuts and their list. */
import { useEffect, useId, useSyncExternalStore } from "react";

export type ActionGroup = "This page" | "Go to" | "Create" | "Theme" | "You";

export interface Action {
  id: string;
  label: string;
  group: ActionGroup;
  /** "c", "g w" or "mod+k". */
  shortcut?: string;
  /** Other words that one might type for it. */
  keywords?: string;
  run: () => void;
}

const registered = new Map<string, Action[]>();
let all: Action[] = [];
const listeners = new Set<() => void>();

function publish() {
  all = [...registered.values()].flat();
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
};

/** Offers these for as long as the component stands; pass a stable list (useMemo). */
export function useActions(actions: Action[]) {
  const owner = useId();
  useEffect(() => {
    registered.set(owner, actions);
    publish();
    return () => {
      registered.delete(owner);
      publish();
    };
  }, [owner, actions]);
}

export const useAllActions = (): Action[] => useSyncExternalStore(subscribe, () => all);
export const currentActions = (): Action[] => all;
