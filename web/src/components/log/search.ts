/** Finding text in a log; pure. */
import type { Span } from "@/lib/ansi";

export interface Segment extends Span {
  hit: boolean;
}

/** Cuts the spans where the wanted text begins and ends, also across two spans; case is ignored. */
export function markHits(spans: Span[], wanted: string): Segment[] {
  if (wanted === "") return spans.map((span) => ({ ...span, hit: false }));
  const whole = spans
    .map((span) => span.text)
    .join("")
    .toLowerCase();
  const ranges = hitsIn(whole, wanted.toLowerCase());
  if (ranges.length === 0) return spans.map((span) => ({ ...span, hit: false }));
  const out: Segment[] = [];
  let start = 0;
  for (const span of spans) {
    const end = start + span.text.length;
    let at = start;
    for (const [from, to] of ranges) {
      if (to <= at || from >= end) continue;
      if (from > at)
        out.push({ ...span, text: span.text.slice(at - start, from - start), hit: false });
      const stop = Math.min(to, end);
      const begin = Math.max(from, at);
      out.push({ ...span, text: span.text.slice(begin - start, stop - start), hit: true });
      at = stop;
    }
    if (at < end) out.push({ ...span, text: span.text.slice(at - start), hit: false });
    start = end;
  }
  return out;
}

function hitsIn(text: string, wanted: string): [number, number][] {
  const ranges: [number, number][] = [];
  let at = text.indexOf(wanted);
  while (at >= 0 && ranges.length < 200) {
    ranges.push([at, at + wanted.length]);
    at = text.indexOf(wanted, at + wanted.length);
  }
  return ranges;
}

/** The index after (or before) `from` in the rising list of hits, going round. */
export function nextHit(hits: number[], from: number, step: 1 | -1): number | null {
  if (hits.length === 0) return null;
  if (step === 1) return hits.find((hit) => hit > from) ?? hits[0] ?? null;
  return hits.findLast((hit) => hit < from) ?? hits.at(-1) ?? null;
}
