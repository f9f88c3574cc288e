/** Which keys belong to the page, and which to what has the focus. */

/** Whether the focus is where typing means text, or where a layer over the page has the keys. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  return target.closest("input, textarea, select, [role=menu], [role=dialog]") !== null;
}

/** Whether a dialog or a menu lies over the page. */
export const isCovered = (): boolean =>
  document.querySelector("[role=dialog], [role=menu], [role=alertdialog]") !== null;

/** "mod+k", "shift+d", "/" of a key press; letters in lower case. */
export function keyOf(
  event: Pick<KeyboardEvent, "key" | "metaKey" | "ctrlKey" | "altKey">,
): string {
  const mod = event.metaKey || event.ctrlKey ? "mod+" : "";
  const alt = event.altKey ? "alt+" : "";
  return `${mod}${alt}${event.key.length === 1 ? event.key.toLowerCase() : event.key}`;
}

/**
 * Finds what a press means: a single key, or the second of two ("g w") within a second. Answers the
 * shortcut that is complete, and what to remember of the first key.
 */
export function matchShortcut(
  shortcuts: ReadonlySet<string>,
  before: { key: string; at: number } | null,
  key: string,
  now: number,
): { hit: string | null; remember: { key: string; at: number } | null } {
  if (before !== null && now - before.at < 1_000) {
    const both = `${before.key} ${key}`;
    if (shortcuts.has(both)) return { hit: both, remember: null };
  }
  if (shortcuts.has(key)) return { hit: key, remember: null };
  const begins = [...shortcuts].some((shortcut) => shortcut.startsWith(`${key} `));
  return { hit: null, remember: begins ? { key, at: now } : null };
}
