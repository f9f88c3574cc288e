import { expect, test } from "vitest";
import { splitArguments } from "./arguments";

test.each([
  ["", []],
  ["  --day  yesterday ", ["--day", "yesterday"]],
  [`--title "two words" 'and "three" more'`, ["--title", "two words", 'and "three" more']],
  [`--a="b c"`, ["--a=b c"]],
  [`""`, [""]],
])("%s", (line, expected) => {
  expect(splitArguments(line)).toEqual(expected);
});
