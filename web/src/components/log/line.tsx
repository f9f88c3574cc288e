import { clsx } from "clsx";
import { memo } from "react";
import { type AnsiColor, parseAnsi } from "@/lib/ansi";
import { markHits } from "./search";

const COLORS: Record<AnsiColor, string> = {
  grey: "text-faint",
  red: "text-failed",
  green: "text-ok",
  yellow: "text-waiting",
  blue: "text-progress",
  magenta: "text-accent-text",
  cyan: "text-progress",
};

/** One line of hostile text: only text nodes, colours by name. */
export const LogText = memo(function LogText({ text, search }: { text: string; search: string }) {
  return (
    <>
      {markHits(parseAnsi(text), search).map((part, index) => {
        const look = clsx(part.color && COLORS[part.color], part.bold && "font-semibold");
        if (part.hit) {
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a line never change their order
            <mark key={index} className="rounded-xs bg-mark text-on-mark">
              {part.text}
            </mark>
          );
        }
        if (look === "") return part.text;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a line never change their order
          <span key={index} className={look}>
            {part.text}
          </span>
        );
      })}
    </>
  );
});
