/** Log lines as they stream in: bounded, and drawn at most once a frame. */
import { useEffect, useState, useSyncExternalStore } from "react";

export class LogBuffer<T> {
  items: T[] = [];
  /** Lines that were let go at the beginning. */
  dropped = 0;
  private version = 0;
  private frame: number | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly limit: number) {}

  push(item: T) {
    this.items.push(item);
    if (this.items.length > this.limit) {
      const excess = Math.ceil(this.limit / 10);
      this.items.splice(0, excess);
      this.dropped += excess;
    }
    this.schedule();
  }

  clear() {
    this.items = [];
    this.dropped = 0;
    this.schedule();
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  };

  read = () => this.version;

  private schedule() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.version += 1;
      for (const listener of this.listeners) listener();
    });
  }
}

/** A buffer for as long as the component stands. */
export function useLogBuffer<T>(limit: number): LogBuffer<T> {
  const [buffer] = useState(() => new LogBuffer<T>(limit));
  useEffect(() => () => buffer.clear(), [buffer]);
  return buffer;
}

/** Draws again when the buffer changed; a paused view stays as it is. */
export function useBufferVersion(buffer: LogBuffer<unknown>, paused = false): number {
  const version = useSyncExternalStore(buffer.subscribe, buffer.read);
  const [seen, setSeen] = useState(version);
  if (!paused && seen !== version) setSeen(version);
  return paused ? seen : version;
}
