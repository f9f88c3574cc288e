/** One clock for all that ticks on the page: a single timer, stopped while nobody looks. */
import { useSyncExternalStore } from "react";

type Rate = 1_000 | 10_000;

class Clock {
  private listeners = new Set<() => void>();
  private timer: ReturnType<typeof setInterval> | undefined;
  private now = Date.now();

  constructor(private readonly everyMs: Rate) {}

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    if (this.listeners.size === 1) {
      this.now = Date.now();
      this.timer = setInterval(this.tick, this.everyMs);
      document.addEventListener("visibilitychange", this.tick);
    }
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) {
        clearInterval(this.timer);
        document.removeEventListener("visibilitychange", this.tick);
      }
    };
  };

  read = () => this.now;

  private tick = () => {
    if (document.hidden) return;
    this.now = Date.now();
    for (const listener of this.listeners) listener();
  };
}

const fast = new Clock(1_000);
const slow = new Clock(10_000);
const still = { subscribe: () => () => {}, read: () => 0 };

/** Now, to the second. */
export const useSeconds = (): number => useSyncExternalStore(fast.subscribe, fast.read);

/** Now, to ten seconds: for "3 min ago". */
export const useNow = (): number => useSyncExternalStore(slow.subscribe, slow.read);

/** Now to the second while `ticking`, else never drawn again. */
export function useTicking(ticking: boolean): number {
  const clock = ticking ? fast : still;
  return useSyncExternalStore(clock.subscribe, clock.read);
}
