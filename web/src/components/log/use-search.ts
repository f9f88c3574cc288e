import { useDeferredValue, useMemo, useState } from "react";
import { stripAnsi } from "@/lib/ansi";
import { nextHit } from "./search";

interface Options {
  count: number;
  /** The plain text of a row; null for rows that are not text. */
  textOf: (index: number) => string | null;
  /** Changes when rows change. */
  version: unknown;
  reveal: (index: number) => void;
}

/** What is sought in a log, where it stands, and going from one to the next. */
export function useLogSearch({ count, textOf, version, reveal }: Options) {
  const [value, setValue] = useState("");
  const [current, setCurrent] = useState(-1);
  const sought = value.toLowerCase();
  const wanted = useDeferredValue(sought);
  // biome-ignore lint/correctness/useExhaustiveDependencies: version stands for the rows' content
  const hits = useMemo(() => findHits(wanted, count, textOf), [wanted, count, version]);

  const step = (by: 1 | -1) => {
    // Enter may come before the drawing has caught up with the typing.
    const now = wanted === sought ? hits : findHits(sought, count, textOf);
    const next = nextHit(now, current, by);
    if (next === null) return;
    setCurrent(next);
    reveal(next);
  };
  const at = hits.indexOf(current);
  return {
    wanted,
    current: at < 0 ? -1 : current,
    bar: {
      value,
      onChange: (next: string) => {
        setValue(next);
        setCurrent(-1);
      },
      at: at + 1,
      total: hits.length,
      onStep: step,
    },
  };
}

/** The rows that hold the text, in lower case. */
function findHits(wanted: string, count: number, textOf: Options["textOf"]): number[] {
  const found: number[] = [];
  if (wanted === "") return found;
  for (let index = 0; index < count; index += 1) {
    const text = textOf(index);
    if (text !== null && stripAnsi(text).toLowerCase().includes(wanted)) found.push(index);
  }
  return found;
}
