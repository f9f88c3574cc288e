import { expect, it } from "vitest";
import { pairOf, pick, picksWords } from "./picks";

it("chooses two, takes back, and lets a third take the place of the first", () => {
  expect(pick([], 4)).toEqual([4]);
  expect(pick([4], 9)).toEqual([4, 9]);
  expect(pick([4, 9], 7)).toEqual([9, 7]);
  expect(pick([4, 9], 4)).toEqual([9]);
});

it("compares from the older to the newer, in whatever order they were chosen", () => {
  expect(pairOf([9, 4])).toEqual({ from: 4, to: 9 });
  expect(pairOf([4, 9])).toEqual({ from: 4, to: 9 });
  expect(pairOf([4])).toBeNull();
  expect(pairOf([])).toBeNull();
});

it("says what is chosen", () => {
  expect(picksWords([])).toBe("Choose two deploys");
  expect(picksWords([9])).toBe("#9 and one more");
  expect(picksWords([9, 4])).toBe("From #4 to #9");
});
