/** Two of a list that are chosen to be compared. */

/** Pure: chooses one, or takes it back; a third takes the place of the one chosen first. */
export const pick = (picks: readonly number[], id: number): number[] =>
  picks.includes(id) ? picks.filter((it) => it !== id) : [...picks, id].slice(-2);

/** Pure: the older and the newer, once there are two; numbers of deploys rise. */
export function pairOf(picks: readonly number[]): { from: number; to: number } | null {
  const [one, other] = picks;
  if (one === undefined || other === undefined) return null;
  return { from: Math.min(one, other), to: Math.max(one, other) };
}

/** What is chosen, in words. */
export function picksWords(picks: readonly number[]): string {
  const pair = pairOf(picks);
  if (pair) return `From #${pair.from} to #${pair.to}`;
  return picks[0] === undefined ? "Choose two deploys" : `#${picks[0]} and one more`;
}
