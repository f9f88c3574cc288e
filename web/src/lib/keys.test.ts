import { describe, expect, it } from "vitest";
import { isTyping, keyOf, matchShortcut } from "./keys";

const SHORTCUTS = new Set(["c", "g w", "g a", "?"]);

describe("matchShortcut", () => {
  it("finds single keys at once", () => {
    expect(matchShortcut(SHORTCUTS, null, "c", 0).hit).toBe("c");
    expect(matchShortcut(SHORTCUTS, null, "x", 0)).toEqual({ hit: null, remember: null });
  });

  it("waits a second for the second key", () => {
    const { remember } = matchShortcut(SHORTCUTS, null, "g", 100);
    expect(remember).toEqual({ key: "g", at: 100 });
    expect(matchShortcut(SHORTCUTS, remember, "w", 600).hit).toBe("g w");
    expect(matchShortcut(SHORTCUTS, remember, "w", 1_200).hit).toBeNull();
  });

  it("takes a second key that fits nothing for itself", () => {
    expect(matchShortcut(SHORTCUTS, { key: "g", at: 0 }, "c", 10).hit).toBe("c");
  });
});

describe("keys", () => {
  it("names a press", () => {
    const none = { metaKey: false, ctrlKey: false, altKey: false };
    expect(keyOf({ ...none, key: "K", ctrlKey: true })).toBe("mod+k");
    expect(keyOf({ ...none, key: "ArrowDown" })).toBe("ArrowDown");
  });

  it("leaves typing alone", () => {
    const input = document.createElement("input");
    const button = document.createElement("button");
    document.body.append(input, button);
    expect([isTyping(input), isTyping(button), isTyping(null)]).toEqual([true, false, false]);
  });
});
