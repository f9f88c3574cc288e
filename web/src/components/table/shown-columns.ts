import { type RefObject, useLayoutEffect, useState } from "react";

/** How many columns the width of the window leaves: a cell that spans more would make new ones. */
export function useShownColumns(
  table: RefObject<HTMLTableElement | null>,
  enabled: boolean,
): number {
  const [shown, setShown] = useState(1);
  useLayoutEffect(() => {
    const element = table.current;
    if (!enabled || element === null) return;
    const count = () => {
      const heads = [...element.querySelectorAll("thead th")];
      setShown(heads.filter((head) => getComputedStyle(head).display !== "none").length);
    };
    count();
    window.addEventListener("resize", count);
    return () => window.removeEventListener("resize", count);
  }, [table, enabled]);
  return Math.max(1, shown);
}
