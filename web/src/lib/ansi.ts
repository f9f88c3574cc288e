/**
 * Log text is hostile: escape sequences are read, colours kept as names, and everything else that
 * could move a cursor, link or hide text is dropped. The result is plain text in spans.
 */

export interface Span {
  text: string;
  color: AnsiColor | null;
  bold: boolean;
}

export type AnsiColor = "grey" | "red" | "green" | "yellow" | "blue" | "magenta" | "cyan";

const COLORS: Record<number, AnsiColor | null> = {
  30: "grey",
  31: "red",
  32: "green",
  33: "yellow",
  34: "blue",
  35: "magenta",
  36: "cyan",
  37: null,
  39: null,
  90: "grey",
  91: "red",
  92: "green",
  93: "yellow",
  94: "blue",
  95: "magenta",
  96: "cyan",
  97: null,
};

const ESC = "\u001b";
// CSI (colours and cursor), OSC (titles, links), and two-character escapes.
const SEQUENCE = new RegExp(
  `${ESC}\\[([0-9;:?<=>]*)[ -/]*([@-~])|${ESC}\\][^\\u0007${ESC}]*(?:\\u0007|${ESC}\\\\)?|${ESC}[@-Z\\\\-_a-z0-9=>]?`,
  "g",
);
/** Drops control characters, and the marks that change the direction of text. */
function dropControls(text: string): string {
  let out = "";
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (!isControl(text.charCodeAt(at))) continue;
    out += text.slice(from, at);
    from = at + 1;
  }
  return from === 0 ? text : out + text.slice(from);
}

function isControl(code: number): boolean {
  if (code < 0x20) return code !== 0x09;
  if (code >= 0x7f && code <= 0x9f) return true;
  if (code < 0x200e || code > 0x2069) return false;
  return code <= 0x200f || (code >= 0x202a && code <= 0x202e) || code >= 0x2066;
}

/** The text without its escape sequences. */
export function stripAnsi(text: string): string {
  return dropControls(lastOverwrite(text).replace(SEQUENCE, ""));
}

/** The text in spans of one look each; at least one span. */
export function parseAnsi(text: string): Span[] {
  const line = lastOverwrite(text);
  if (!line.includes(ESC)) return [{ text: dropControls(line), color: null, bold: false }];
  const spans: Span[] = [];
  let color: AnsiColor | null = null;
  let bold = false;
  let from = 0;
  const push = (to: number) => {
    const part = dropControls(line.slice(from, to));
    if (part !== "") spans.push({ text: part, color, bold });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    push(match.index);
    from = match.index + match[0].length;
    if (match[2] === "m") [color, bold] = style(match[1] ?? "", color, bold);
  }
  push(line.length);
  return spans.length > 0 ? spans : [{ text: "", color: null, bold: false }];
}

/** Progress bars write over themselves with carriage returns: what stands in the end counts. */
function lastOverwrite(text: string): string {
  const line = text.endsWith("\r") ? text.slice(0, -1) : text;
  const at = line.lastIndexOf("\r");
  return at < 0 ? line : line.slice(at + 1);
}

function style(codes: string, color: AnsiColor | null, bold: boolean): [AnsiColor | null, boolean] {
  const numbers = codes === "" ? [0] : codes.split(/[;:]/).map(Number);
  for (let i = 0; i < numbers.length; i += 1) {
    const code = numbers[i] ?? 0;
    if (code === 0) [color, bold] = [null, false];
    else if (code === 1) bold = true;
    else if (code === 22) bold = false;
    else if (code === 38 || code === 48) i += numbers[i + 1] === 5 ? 2 : 4;
    else if (code in COLORS) color = COLORS[code] ?? null;
  }
  return [color, bold];
}
