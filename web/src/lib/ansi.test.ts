import { describe, expect, it } from "vitest";
import { parseAnsi, stripAnsi } from "./ansi";

const ESC = "\u001b";

describe("parseAnsi", () => {
  it("keeps plain text as one span", () => {
    expect(parseAnsi("hello\tworld")).toEqual([{ text: "hello\tworld", color: null, bold: false }]);
  });

  it("reads colours and their end", () => {
    expect(parseAnsi(`${ESC}[1;31merror${ESC}[0m: no`)).toEqual([
      { text: "error", color: "red", bold: true },
      { text: ": no", color: null, bold: false },
    ]);
  });

  it("skips the numbers of 256 and true colours", () => {
    expect(parseAnsi(`${ESC}[38;5;31mteal${ESC}[38;2;1;31;32mrgb`).map((it) => it.color)).toEqual([
      null,
      null,
    ]);
  });

  it("drops links, titles and the cursor's movements", () => {
    const hostile = `${ESC}]8;;http://evil.example${ESC}\\text${ESC}]8;;${ESC}\\${ESC}[2J${ESC}[5;5H${ESC}c!`;
    expect(stripAnsi(hostile)).toBe("text!");
    expect(
      parseAnsi(hostile)
        .map((it) => it.text)
        .join(""),
    ).toBe("text!");
  });

  it("drops control characters and marks that turn the direction of text", () => {
    expect(stripAnsi("a\u0000b\u0008c\u202ed\u2066e\u009bf")).toBe("abcdef");
  });

  it("drops an escape that never ends", () => {
    expect(stripAnsi(`before ${ESC}`)).toBe("before ");
    expect(stripAnsi(`before ${ESC}]0;title without end`)).toBe("before ");
  });

  it("shows what a progress bar stands at in the end", () => {
    expect(stripAnsi("10 %\r50 %\r100 %")).toBe("100 %");
    expect(stripAnsi("done\r")).toBe("done");
  });
});
