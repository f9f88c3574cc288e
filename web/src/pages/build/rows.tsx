import { clsx } from "clsx";
import { ChevronRight } from "lucide-react";
import { memo } from "react";
import type { LogLine } from "@/api/types";
import { LogText } from "@/components/log/line";
import { StatusIcon, TONE_TEXT } from "@/components/status";
import { Took } from "@/components/time";
import { OWN_STEP, type StepRows } from "@/lib/build-rows";
import { plural } from "@/lib/format";
import { stepLook } from "@/lib/status";

interface StepProps {
  rows: StepRows;
  onToggle: (step: number, open: boolean) => void;
}

/** A step's head: what it does, how it went, how long. */
export function StepRow({ rows, onToggle }: StepProps) {
  const { step, lines, open } = rows;
  const look = stepLook(step.state);
  const own = step.number === OWN_STEP;
  return (
    <button
      type="button"
      aria-expanded={open}
      onClick={() => onToggle(step.number, !open)}
      className="page-x flex min-h-8 w-full items-center gap-2 py-1 text-left font-sans text-sm -outline-offset-2 hover:bg-hover"
    >
      <ChevronRight
        aria-hidden
        className={clsx(
          "-ml-1 size-3.5 shrink-0 text-faint",
          open && "rotate-90",
          lines.length === 0 && "invisible",
        )}
      />
      {!own && <StatusIcon tone={look.tone} />}
      <span
        title={step.name}
        className={clsx("min-w-0 flex-1 truncate", own ? "text-muted" : "font-mono text-xs")}
      >
        {step.name}
      </span>
      {!open && lines.length > 0 && (
        <span className="shrink-0 text-faint max-sm:hidden">{plural(lines.length, "line")}</span>
      )}
      {!own && (
        <span
          className={clsx(
            "w-20 shrink-0 text-right",
            step.state === "failed" ? TONE_TEXT.failed : "text-faint",
            step.state === "succeeded" && "sr-only",
          )}
        >
          {look.word}
        </span>
      )}
      {!own && step.state !== "cached" && (
        <Took
          startedAt={step.started_at}
          finishedAt={step.finished_at}
          className="nums w-20 shrink-0 text-right whitespace-nowrap text-muted"
        />
      )}
    </button>
  );
}

interface LineProps {
  line: LogLine;
  number: number;
  search: string;
  current: boolean;
}

export const LineRow = memo(function LineRow({ line, number, search, current }: LineProps) {
  return (
    <div className={clsx("page-x flex gap-3 hover:bg-hover", current && "bg-selected")}>
      <span className="nums w-8 shrink-0 text-right text-faint select-none" aria-hidden>
        {number}
      </span>
      <span className="min-w-0 flex-1">
        <LogText text={line.text} search={search} />
      </span>
    </div>
  );
});
