import { type RefObject, useEffect } from "react";
import { isCovered, isTyping } from "@/lib/keys";

const STEP: Record<string, number> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };

/** Up and down move the focus from one row's link to the next; Enter follows it. */
export function useRowKeys(
  table: RefObject<HTMLTableElement | null>,
  count: number,
  scrollTo: (index: number) => void,
  enabled: boolean,
) {
  useEffect(() => {
    if (!enabled) return;
    const onKey = (event: KeyboardEvent) => {
      const step = STEP[event.key];
      const root = table.current;
      if (step === undefined || root === null || count === 0) return;
      if (event.metaKey || event.ctrlKey || event.altKey || event.shiftKey) return;
      if (isTyping(event.target) || isCovered() || event.defaultPrevented) return;
      const row = document.activeElement?.closest<HTMLElement>("tr[data-row]");
      const inside = row !== null && row !== undefined && root.contains(row);
      const now = inside ? Number(row.dataset.row) : step > 0 ? -1 : count;
      const next = Math.min(count - 1, Math.max(0, now + step));
      event.preventDefault();
      scrollTo(next);
      focusRow(root, next, 10);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [table, count, scrollTo, enabled]);
}

/** A virtual row exists only a frame or two after it was scrolled to. */
function focusRow(root: HTMLElement, index: number, tries: number) {
  const link = root.querySelector<HTMLElement>(`tr[data-row="${index}"] [data-row-link]`);
  if (link !== null) {
    link.closest("tr")?.scrollIntoView({ block: "nearest" });
    link.focus({ preventScroll: true, focusVisible: true } as FocusOptions);
  } else if (tries > 0) {
    requestAnimationFrame(() => focusRow(root, index, tries - 1));
  }
}
