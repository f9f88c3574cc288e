import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openStream } from "./stream";

const fetched = vi.fn<(url: string, init: RequestInit) => Promise<Response>>();
let close: () => void = () => {};

/** A stream that says this and then closes. */
const says = (text: string) =>
  new Response(text, { headers: { "Content-Type": "text/event-stream" } });
const header = (call: number, name: string) =>
  new Headers(fetched.mock.calls[call]?.[1].headers).get(name);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", fetched);
  fetched.mockReset();
});

afterEach(() => {
  close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** What was told, as words. */
function open(ended?: () => boolean) {
  const told: string[] = [];
  close = openStream({
    url: "/stream",
    onEvent: (event) => told.push(event.data),
    onState: (state, info) => told.push(`${state}${info.resumed ? "" : " with a gap"}`),
    ended,
  });
  return told;
}

describe("openStream", () => {
  it("resumes after the last event that it saw", async () => {
    fetched.mockResolvedValueOnce(says("id: 7\ndata: seven\n\n"));
    fetched.mockResolvedValueOnce(says("id: 8\ndata: eight\n\n"));
    fetched.mockReturnValue(new Promise(() => {}));
    const told = open();
    await vi.advanceTimersByTimeAsync(600);
    expect(told).toEqual(["connecting", "live", "seven", "live", "eight"]);
    expect([header(0, "Last-Event-ID"), header(1, "Last-Event-ID")]).toEqual([null, "7"]);
  });

  it("says that something may be missing where events have no ids", async () => {
    fetched.mockResolvedValueOnce(says("data: a\n\n"));
    fetched.mockResolvedValueOnce(says("data: b\n\n"));
    fetched.mockReturnValue(new Promise(() => {}));
    const told = open();
    await vi.advanceTimersByTimeAsync(600);
    expect(told).toContain("live with a gap");
  });

  it("is lost only after a second try, and comes back", async () => {
    fetched.mockRejectedValueOnce(new TypeError("no network"));
    fetched.mockResolvedValueOnce(new Response("", { status: 503 }));
    fetched.mockResolvedValueOnce(says("data: back\n\n"));
    fetched.mockReturnValue(new Promise(() => {}));
    const told = open();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(told.slice(0, 4)).toEqual(["connecting", "lost", "live", "back"]);
  });

  it("does not ask again when it is refused", async () => {
    fetched.mockResolvedValue(new Response("", { status: 401 }));
    const told = open();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(["connecting", "ended"]);
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  it("ends when all was said", async () => {
    fetched.mockResolvedValue(says("data: all\n\n"));
    const told = open(() => true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(["connecting", "live", "all", "ended"]);
  });

  it("stops when it is closed", async () => {
    fetched.mockRejectedValue(new TypeError("no network"));
    open();
    await vi.advanceTimersByTimeAsync(0);
    close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fetched).toHaveBeenCalledTimes(1);
  });
});
