/** A whole number as a form has it; null where it is none. */
export const wholeNumber = (text: string): number | null =>
  /^\d{1,9}$/.test(text.trim()) ? Number(text.trim()) : null;

/** Words for a field that wants a whole number; null where it has one in these bounds. */
export function wrongNumber(text: string, least: number, most: number): string | null {
  const value = wholeNumber(text);
  if (value !== null && value >= least && value <= most) return null;
  return `A whole number from ${least} to ${most.toLocaleString("en")}`;
}
