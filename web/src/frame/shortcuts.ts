import { useEffect, useRef } from "react";
import { isCovered, isTyping, keyOf, matchShortcut } from "@/lib/keys";
import { currentActions } from "./actions";

/** Runs the action whose shortcut is pressed; `openPalette` answers `/` and Ctrl-K. */
export function useShortcuts(openPalette: () => void) {
  const before = useRef<{ key: string; at: number } | null>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing || event.repeat) return;
      const key = keyOf(event);
      if (key === "mod+k") {
        event.preventDefault();
        openPalette();
        return;
      }
      if (isTyping(event.target) || isCovered()) return;
      if (key === "/") {
        event.preventDefault();
        openPalette();
        return;
      }
      const actions = currentActions().filter((action) => action.shortcut !== undefined);
      const shortcuts = new Set(actions.map((action) => action.shortcut ?? ""));
      const { hit, remember } = matchShortcut(shortcuts, before.current, key, Date.now());
      before.current = remember;
      if (hit === null) return;
      event.preventDefault();
      actions.find((action) => action.shortcut === hit)?.run();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [openPalette]);
}
