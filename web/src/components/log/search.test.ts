import { describe, expect, it } from "vitest";
import { parseAnsi } from "@/lib/ansi";
import { markHits, nextHit } from "./search";

const shown = (text: string, wanted: string) =>
  markHits(parseAnsi(text), wanted)
    .map((part) => (part.hit ? `[${part.text}]` : part.text))
    .join("");

describe("markHits", () => {
  it("marks every hit, whatever its case", () => {
    expect(shown("Error: an error", "error")).toBe("[Error]: an [error]");
    expect(shown("nothing", "error")).toBe("nothing");
    expect(shown("text", "")).toBe("text");
  });

  it("marks a hit that goes over two colours in both", () => {
    expect(shown("\u001b[31mer\u001b[0mror!", "error")).toBe("[er][ror]!");
  });
});

describe("nextHit", () => {
  it("goes round in both directions", () => {
    expect([nextHit([2, 5], 2, 1), nextHit([2, 5], 5, 1), nextHit([2, 5], 2, -1)]).toEqual([
      5, 2, 5,
    ]);
    expect(nextHit([], 0, 1)).toBeNull();
  });
});
