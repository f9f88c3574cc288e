import { useEffect, useState } from "react";
import { streams } from "@/api/client";
import { tellSignedOut } from "@/api/live";
import { openStream, type StreamState } from "@/api/stream";
import type { ContainerLogLine } from "@/api/types";
import { useLogBuffer } from "@/components/log/buffer";

const LINES_KEPT = 20_000;
const TAIL_LINES = 1_000;

interface Wanted {
  pod: string;
  container: string;
  previous: boolean;
}

/** Follows the log of a workload's containers; a stream that was lost begins anew with the tail. */
export function useContainerLog(name: string, { pod, container, previous }: Wanted) {
  const buffer = useLogBuffer<ContainerLogLine>(LINES_KEPT);
  const [state, setState] = useState<StreamState>("connecting");
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    buffer.clear();
    setProblem(null);
    // The lines of a fresh stream replace the old ones when the first of them comes.
    let fresh = false;
    const close = openStream({
      url: streams.log(name, {
        pod,
        container,
        follow: !previous,
        previous: previous || undefined,
        tail_lines: TAIL_LINES,
      }),
      ended: () => previous,
      onState: (next, { status, resumed }) => {
        setState(next);
        if (next === "live") fresh = !resumed;
        if (next !== "ended") return;
        if (status === 401) tellSignedOut();
        if (status === 404) setProblem("This pod is gone, and its log with it.");
        if (status === 403) setProblem("You may not read this log.");
      },
      onEvent: ({ event, data }) => {
        if (event !== "line" && event !== "problem") return;
        const value = JSON.parse(data) as ContainerLogLine & { detail?: string; hint?: string };
        if (event === "problem") {
          setProblem([value.detail, value.hint].filter(Boolean).join(" "));
          return;
        }
        if (fresh) {
          buffer.clear();
          fresh = false;
        }
        setProblem(null);
        buffer.push(value);
      },
    });
    return close;
  }, [buffer, name, pod, container, previous]);
  return { buffer, state, problem };
}
