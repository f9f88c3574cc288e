import { useVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useLayoutEffect, useState } from "react";

export const ROW_HEIGHT = 37;
/** Shorter tables are drawn whole: the browser's own search then finds everything. */
const VIRTUAL_FROM = 120;

/** The element that scrolls: the page's content, not the window. */
export const scroller = (): HTMLElement | null => document.getElementById("content");

interface Rows {
  items: number[];
  /** Height of the rows left out above and below, in pixels. */
  before: number;
  after: number;
  scrollTo: (index: number) => void;
}

/** Which rows to draw. */
export function useRows(
  table: RefObject<HTMLTableElement | null>,
  count: number,
  mayBeVirtual: boolean,
): Rows {
  const virtual = mayBeVirtual && count > VIRTUAL_FROM;
  const [margin, setMargin] = useState(0);
  // What stands above the table may change its height at any drawing.
  useLayoutEffect(() => {
    const content = scroller();
    if (!virtual || table.current === null || content === null) return;
    const top =
      table.current.getBoundingClientRect().top -
      content.getBoundingClientRect().top +
      content.scrollTop;
    if (Math.abs(top - margin) > 1) setMargin(top);
  });
  const virtualizer = useVirtualizer({
    count,
    enabled: virtual,
    getScrollElement: scroller,
    estimateSize: () => ROW_HEIGHT,
    scrollMargin: margin,
    overscan: 12,
  });
  if (!virtual) {
    return {
      items: Array.from({ length: count }, (_, index) => index),
      before: 0,
      after: 0,
      scrollTo: () => {},
    };
  }
  const drawn = virtualizer.getVirtualItems();
  const first = drawn[0];
  const last = drawn.at(-1);
  return {
    items: drawn.map((item) => item.index),
    before: first === undefined ? 0 : first.start - margin,
    after: last === undefined ? 0 : virtualizer.getTotalSize() - (last.end - margin),
    scrollTo: (index) => virtualizer.scrollToIndex(index, { align: "auto" }),
  };
}
