import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { applyBuild, applyStep } from "@/api/cache";
import { streams } from "@/api/client";
import { tellSignedOut } from "@/api/live";
import { keys } from "@/api/queries";
import { openStream, type StreamState } from "@/api/stream";
import type { BuildStep, BuildSummary, LogLine } from "@/api/types";
import { useLogBuffer } from "@/components/log/buffer";
import { isBuildActive } from "@/lib/status";

/** More than a build may write (16 MiB) in lines of an ordinary length. */
const LINES_KEPT = 200_000;

/** The whole log, and then what is added; it resumes where it was lost. */
export function useBuildLog(id: number) {
  const client = useQueryClient();
  const buffer = useLogBuffer<LogLine>(LINES_KEPT);
  const [state, setState] = useState<StreamState>("connecting");
  useEffect(() => {
    let over = false;
    let last = 0;
    const close = openStream({
      url: streams.buildLog(id),
      ended: () => over,
      onState: (next, { status }) => {
        setState(next);
        if (next === "ended" && status === 401) tellSignedOut();
      },
      onEvent: ({ event, data }) => {
        if (event === "line") {
          const line = JSON.parse(data) as LogLine;
          if (line.seq <= last) return;
          last = line.seq;
          buffer.push(line);
        } else if (event === "step") {
          applyStep(client, id, JSON.parse(data) as BuildStep);
        } else if (event === "build") {
          const build = JSON.parse(data) as BuildSummary;
          applyBuild(client, build);
          over = !isBuildActive(build.state);
          // What it published stands only in the build itself.
          if (over) void client.invalidateQueries({ queryKey: keys.build(id) });
        }
      },
    });
    return () => {
      close();
      buffer.clear();
    };
  }, [client, buffer, id]);
  return { buffer, state };
}
