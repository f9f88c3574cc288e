import { describe, expect, it } from "vitest";
import { backoffMs, EventParser } from "./sse";

describe("EventParser", () => {
  it("puts an event together from any pieces", () => {
    const parser = new EventParser();
    const text = 'id: 7\r\nevent: line\r\ndata: {"a":1}\r\n\r\n';
    const events = [...text].flatMap((letter) => parser.push(letter));
    expect(events).toEqual([{ event: "line", data: '{"a":1}', id: "7" }]);
  });

  it("remembers the last id, and joins data lines", () => {
    const parser = new EventParser("3");
    expect(parser.push("data: a\ndata: b\n\n")).toEqual([
      { event: "message", data: "a\nb", id: "3" },
    ]);
  });

  it("leaves out comments and events without data", () => {
    expect(new EventParser().push(": keep-alive\n\nevent: line\n\n")).toEqual([]);
  });

  it("lets go of a line without end", () => {
    const parser = new EventParser();
    for (let i = 0; i < 9; i += 1) parser.push("x".repeat(1024 * 1024));
    expect(parser.push("\n\ndata: ok\n\n").at(-1)?.data).toBe("ok");
  });
});

describe("backoffMs", () => {
  it("grows, is bounded, and spreads", () => {
    expect([backoffMs(0, 0), backoffMs(0, 1)]).toEqual([250, 500]);
    expect(backoffMs(3, 1)).toBe(4_000);
    expect(backoffMs(100, 1)).toBe(15_000);
  });
});
