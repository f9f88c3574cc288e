import { useVirtualizer } from "@tanstack/react-virtual";
import { clsx } from "clsx";
import { ArrowDown } from "lucide-react";
import {
  type ReactNode,
  type Ref,
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
} from "react";

export const LINE_HEIGHT = 20;

const UPWARDS = new Set(["ArrowUp", "PageUp", "Home"]);

/** How far the end is below what is in view, in pixels. */
const restOf = (element: HTMLElement): number =>
  element.scrollHeight - element.scrollTop - element.clientHeight;

export interface LogHandle {
  /** Brings a row into view and stops following. */
  reveal: (index: number) => void;
}

interface Props {
  label: string;
  count: number;
  /** Stays with a row when rows before it are let go. */
  rowKey: (index: number) => string | number;
  render: (index: number) => ReactNode;
  wrap: boolean;
  following: boolean;
  onFollowing: (following: boolean) => void;
  ref?: Ref<LogHandle>;
}

/** Thousands of log rows, of which only those in view are drawn; it follows the end unless scrolled. */
export function VirtualLog(props: Props) {
  const { label, count, rowKey, render, wrap, following, onFollowing, ref } = props;
  const box = useRef<HTMLDivElement>(null);
  const byPerson = useRef(false);
  const [away, setAway] = useState(false);
  const virtualizer = useVirtualizer({
    count,
    getScrollElement: () => box.current,
    estimateSize: () => LINE_HEIGHT,
    getItemKey: rowKey,
    overscan: 30,
    paddingStart: 8,
    paddingEnd: 8,
  });

  // While it follows, the end is where to be; elsewhere rows must not move under the eye.
  virtualizer.shouldAdjustScrollPositionOnItemSizeChange = following ? () => false : undefined;

  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of wrap changes every height
  useEffect(() => virtualizer.measure(), [wrap, virtualizer]);
  const height = virtualizer.getTotalSize();
  // Rows are measured when they are drawn, so the end moves with the height, not with the count.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the end moves with the height
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    if (following) element.scrollTop = element.scrollHeight;
    else setAway(restOf(element) > LINE_HEIGHT);
  }, [following, height]);

  // The pane may also change its own height under a view that follows.
  useEffect(() => {
    const element = box.current;
    if (element === null || !following) return;
    const observer = new ResizeObserver(() => {
      element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [following]);

  useImperativeHandle(
    ref,
    () => ({
      reveal: (index) => {
        byPerson.current = false;
        onFollowing(false);
        virtualizer.scrollToIndex(index, { align: "center" });
      },
    }),
    [virtualizer, onFollowing],
  );

  // Only a person stops the following; rows that change their height scroll as well.
  const stop = useCallback(() => {
    if (box.current && box.current.scrollTop > 0) onFollowing(false);
  }, [onFollowing]);
  const onScroll = useCallback(() => {
    const element = box.current;
    if (element === null) return;
    const far = restOf(element) > LINE_HEIGHT;
    setAway(far);
    if (byPerson.current) onFollowing(!far);
  }, [onFollowing]);

  const items = virtualizer.getVirtualItems();
  const first = items[0];
  return (
    <div className="relative min-h-0 flex-1">
      <section
        ref={box}
        aria-label={label}
        onScroll={onScroll}
        onWheel={(event) => {
          byPerson.current = true;
          if (event.deltaY < 0) stop();
        }}
        onTouchMove={() => {
          byPerson.current = true;
        }}
        onKeyDown={(event) => {
          byPerson.current = true;
          if (UPWARDS.has(event.key)) stop();
        }}
        onPointerDown={(event) => {
          // A press on the scroll bar lands on the box itself, beside its content.
          byPerson.current = event.target === box.current;
        }}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        tabIndex={0}
        className="absolute inset-0 overflow-auto bg-code font-mono text-xs leading-5 outline-offset-[-2px]"
      >
        <div style={{ height }} className="relative min-w-full">
          <div
            className={clsx("absolute top-0 left-0", wrap ? "w-full" : "min-w-full")}
            style={{ transform: `translateY(${first?.start ?? 0}px)` }}
          >
            {items.map((item) => (
              <div
                key={item.key}
                data-index={item.index}
                ref={virtualizer.measureElement}
                className={wrap ? "break-words whitespace-pre-wrap" : "whitespace-pre"}
              >
                {render(item.index)}
              </div>
            ))}
          </div>
        </div>
      </section>
      {!following && away && (
        <button
          type="button"
          onClick={() => {
            byPerson.current = false;
            onFollowing(true);
          }}
          className="absolute right-5 bottom-4 inline-flex h-8 items-center gap-1.5 rounded-full border bg-panel px-3 font-medium shadow-float hover:bg-hover"
        >
          <ArrowDown className="size-3.5" aria-hidden />
          Jump to end
        </button>
      )}
    </div>
  );
}
