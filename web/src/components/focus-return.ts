import { useCallback, useState } from "react";

/** What last had the focus on the page itself. What is in a menu will be gone: its button stands for it. */
let last: HTMLElement | null = null;

document.addEventListener("focusin", ({ target }) => {
  if (!(target instanceof HTMLElement) || target.closest("[role=dialog]")) return;
  const menu = target.closest("[role=menu]");
  last = menu ? document.getElementById(menu.getAttribute("aria-labelledby") ?? "") : target;
});

/**
 * For dialogs that open without a trigger of Radix' own, which would leave the focus nowhere: gives
 * it back to where it was before the dialog came.
 */
export function useFocusReturn(): (event: Event) => void {
  const [before] = useState(() => last);
  return useCallback(
    (event: Event) => {
      event.preventDefault();
      if (before?.isConnected) before.focus();
    },
    [before],
  );
}
