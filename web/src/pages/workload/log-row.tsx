import { clsx } from "clsx";
import { memo } from "react";
import type { ContainerLogLine } from "@/api/types";
import { LogText } from "@/components/log/line";
import { clock, exact } from "@/lib/time";

interface Props {
  line: ContainerLogLine | undefined;
  search: string;
  current: boolean;
  /** Whether lines of several pods or containers stand together. */
  many: boolean;
  containers: boolean;
}

/** Time, who wrote it, and the text. */
export const LogRow = memo(function LogRow({ line, search, current, many, containers }: Props) {
  if (line === undefined) return null;
  return (
    <div className={clsx("page-x flex gap-3 hover:bg-hover", current && "bg-selected")}>
      {line.at && (
        <time
          dateTime={line.at}
          title={exact(line.at)}
          className="shrink-0 text-faint select-none max-sm:hidden"
        >
          {clock(line.at)}
        </time>
      )}
      {many && (
        <span className="shrink-0 text-faint select-none max-md:hidden" title={line.pod}>
          {podTail(line.pod)}
        </span>
      )}
      {containers && (
        <span className="shrink-0 text-faint select-none max-md:hidden">{line.container}</span>
      )}
      <span className="min-w-0 flex-1">
        <LogText text={line.text} search={search} />
      </span>
    </div>
  );
});

/** The part of a pod's name that tells it from its siblings. */
function podTail(pod: string): string {
  const at = pod.lastIndexOf("-");
  return at < 0 ? pod : pod.slice(at + 1);
}
