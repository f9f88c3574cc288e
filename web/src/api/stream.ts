/**
 * A stream of the server that survives losing it: it resumes with `Last-Event-ID`, backs off, and
 * rests while nobody looks at the page (a browser allows six connections to one HTTP/1.1 host).
 */
import { backoffMs, EventParser, type ServerEvent } from "./sse";

export type StreamState = "connecting" | "live" | "lost" | "ended";

export interface StreamOptions {
  url: string;
  onEvent: (event: ServerEvent) => void;
  /** Told at each change; `resumed` is false when events may have been missed. */
  onState?: (state: StreamState, info: { status: number | null; resumed: boolean }) => void;
  /** Whether a close by the server means that all was said; else it is opened again. */
  ended?: () => boolean;
}

/** Silence after which the connection counts as dead; the server sends a comment far more often. */
const SILENCE_MS = 60_000;
const HIDDEN_REST_MS = 20_000;

/** Opens the stream; the answer closes it. */
export function openStream(options: StreamOptions): () => void {
  let closed = false;
  let attempt = 0;
  let opened = 0;
  let resting = false;
  let lastId: string | null = null;
  let abort: AbortController | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hiddenTimer: ReturnType<typeof setTimeout> | undefined;

  const say = (state: StreamState, status: number | null = null) =>
    options.onState?.(state, {
      status,
      resumed: state !== "live" || opened === 0 || lastId !== null,
    });

  const retry = (status: number | null) => {
    if (closed) return;
    if (document.hidden) {
      resting = true;
      return;
    }
    if (attempt > 0) say("lost", status);
    timer = setTimeout(run, backoffMs(attempt, Math.random()));
    attempt += 1;
  };

  async function run() {
    if (closed) return;
    abort = new AbortController();
    const { signal } = abort;
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (lastId !== null) headers["Last-Event-ID"] = lastId;
      const response = await fetch(options.url, { headers, signal, cache: "no-store" });
      if (response.status === 401 || response.status === 403 || response.status === 404) {
        closed = true;
        stopListening();
        say("ended", response.status);
        return;
      }
      if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
      say("live");
      opened += 1;
      attempt = 0;
      await read(response.body, signal);
      if (options.ended?.()) {
        closed = true;
        stopListening();
        say("ended", 200);
        return;
      }
      retry(null);
    } catch {
      if (!signal.aborted) retry(null);
    }
  }

  async function read(body: ReadableStream<Uint8Array>, signal: AbortSignal) {
    const parser = new EventParser(lastId);
    const decoder = new TextDecoder();
    const reader = body.getReader();
    let silence = setTimeout(() => reader.cancel().catch(() => {}), SILENCE_MS);
    try {
      while (!signal.aborted) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(silence);
        silence = setTimeout(() => reader.cancel().catch(() => {}), SILENCE_MS);
        for (const event of parser.push(decoder.decode(value, { stream: true }))) {
          lastId = event.id;
          if (!signal.aborted) options.onEvent(event);
        }
      }
    } finally {
      clearTimeout(silence);
    }
  }

  const restart = () => {
    abort?.abort();
    clearTimeout(timer);
    attempt = 0;
    void run();
  };
  const onVisibility = () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) {
      hiddenTimer = setTimeout(() => {
        resting = true;
        abort?.abort();
        clearTimeout(timer);
      }, HIDDEN_REST_MS);
    } else if (resting) {
      resting = false;
      restart();
    }
  };
  const stopListening = () => {
    clearTimeout(hiddenTimer);
    document.removeEventListener("visibilitychange", onVisibility);
    window.removeEventListener("online", restart);
  };
  document.addEventListener("visibilitychange", onVisibility);
  window.addEventListener("online", restart);

  say("connecting");
  void run();

  return () => {
    closed = true;
    abort?.abort();
    clearTimeout(timer);
    stopListening();
  };
}
