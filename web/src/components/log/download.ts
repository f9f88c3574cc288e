import { stripAnsi } from "@/lib/ansi";
import { fileName } from "@/lib/format";

/** Saves lines as a text file, without their escape sequences. */
export function downloadText(name: string, lines: Iterable<string>) {
  const parts: string[] = [];
  for (const line of lines) parts.push(`${stripAnsi(line)}\n`);
  const url = URL.createObjectURL(new Blob(parts, { type: "text/plain;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${fileName(name)}.log`;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
