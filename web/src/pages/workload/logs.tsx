import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Download, History, Pause, Play, TextWrap } from "lucide-react";
import { useCallback, useMemo, useRef, useState } from "react";
import { statusQuery } from "@/api/queries";
import type { ContainerLogLine } from "@/api/types";
import { IconButton } from "@/components/button";
import { Pick } from "@/components/field";
import { useBufferVersion } from "@/components/log/buffer";
import { downloadText } from "@/components/log/download";
import { LogSearch, Toggle } from "@/components/log/toolbar";
import { useLogSearch } from "@/components/log/use-search";
import { type LogHandle, VirtualLog } from "@/components/log/virtual-log";
import { plural } from "@/lib/format";
import { logChoices } from "./log-choices";
import { LogRow } from "./log-row";
import { useContainerLog } from "./use-container-log";

/** What the containers write, as they write it. */
export function LogsTab() {
  const { name } = useParams({ from: "/app/workloads/$name" });
  const search = useSearch({ from: "/app/workloads/$name/logs" });
  const navigate = useNavigate();
  const { data: status } = useQuery(statusQuery(name));
  const { pod = "", container = "", previous = false } = search;
  const { buffer, state, problem } = useContainerLog(name, { pod, container, previous });

  const [wrap, setWrap] = useState(true);
  const [paused, setPaused] = useState(false);
  const [following, setFollowing] = useState(true);
  const version = useBufferVersion(buffer, paused);
  // A paused view keeps the lines that it showed when it was paused.
  const shown = useRef<{ items: ContainerLogLine[]; dropped: number }>({ items: [], dropped: 0 });
  if (!paused) shown.current = { items: buffer.items, dropped: buffer.dropped };
  const frozen = useMemo(
    () => (paused ? { ...shown.current, items: [...shown.current.items] } : null),
    [paused],
  );
  const { items, dropped } = frozen ?? shown.current;

  const handle = useRef<LogHandle>(null);
  const textOf = useCallback((index: number) => items[index]?.text ?? null, [items]);
  const reveal = useCallback((index: number) => handle.current?.reveal(index), []);
  const found = useLogSearch({ count: items.length, textOf, version, reveal });
  const choices = logChoices(status?.pods ?? [], pod, container);

  const set = (change: Partial<typeof search>) =>
    navigate({
      to: "/workloads/$name/logs",
      params: { name },
      search: (before) => ({ ...before, ...change }),
      replace: true,
    });
  const waiting = paused
    ? Math.max(0, buffer.items.length + buffer.dropped - items.length - dropped)
    : 0;

  return (
    <div className="flex min-h-96 flex-1 flex-col">
      <div className="page-x flex flex-wrap items-center gap-2 py-2">
        <Pick
          label="Pod"
          value={pod}
          options={choices.pods}
          onChange={(next) => set({ pod: next || undefined, previous: undefined })}
          className="w-64 max-xl:w-52 max-sm:w-0 max-sm:flex-1"
        />
        <Pick
          label="Container"
          value={container}
          options={choices.containers}
          onChange={(next) => set({ container: next || undefined })}
          className="w-44 max-xl:w-36 max-sm:w-0 max-sm:flex-1"
        />
        <span className="basis-full sm:hidden" aria-hidden />
        <LogSearch {...found.bar} />
        <div className="flex items-center gap-1 max-sm:-mr-2 sm:ml-auto">
          <span role="status" className="text-faint not-empty:mr-1 max-sm:sr-only">
            {paused && `Paused, ${plural(waiting, "new line")}`}
          </span>
          {(choices.restarted || previous) && (
            <Toggle
              label="Before the restart"
              icon={<History aria-hidden />}
              pressed={previous}
              onChange={(next) => set({ previous: next || undefined })}
            />
          )}
          <Toggle label="Wrap" icon={<TextWrap aria-hidden />} pressed={wrap} onChange={setWrap} />
          <Toggle
            label={paused ? "Go on" : "Pause"}
            icon={paused ? <Play aria-hidden /> : <Pause aria-hidden />}
            pressed={paused}
            onChange={setPaused}
          />
          <IconButton
            label="Download what is shown"
            disabled={items.length === 0}
            onClick={() =>
              downloadText([name, pod, container].filter(Boolean).join("-"), plainLines(items))
            }
          >
            <Download />
          </IconButton>
        </div>
      </div>
      {items.length === 0 ? (
        <p className="flex-1 bg-code px-4 py-3 text-muted md:px-6" role="status">
          {problem ?? emptyWords(state, status?.pods.length ?? 0)}
        </p>
      ) : (
        <VirtualLog
          ref={handle}
          label={`Log of ${name}`}
          count={items.length}
          rowKey={(index) => dropped + index}
          wrap={wrap}
          following={following && !paused}
          onFollowing={(next) => {
            setFollowing(next);
            if (next) setPaused(false);
          }}
          render={(index) => (
            <LogRow
              line={items[index]}
              search={found.wanted}
              current={index === found.current}
              many={pod === ""}
              containers={container === "" && choices.containers.length > 2}
            />
          )}
        />
      )}
      {problem && items.length > 0 && (
        <p role="status" className="page-x border-t py-1.5 text-failed">
          {problem}
        </p>
      )}
    </div>
  );
}

function emptyWords(state: string, pods: number): string {
  if (state === "ended") return "This log is empty.";
  if (pods === 0) return "No pod is running. Lines appear here as soon as one writes.";
  return state === "live"
    ? "Nothing was written yet. Lines appear here as they come."
    : "Opening the log";
}

function* plainLines(items: ContainerLogLine[]): Generator<string> {
  for (const line of items) yield `${line.at ?? ""} ${line.pod} ${line.container} ${line.text}`;
}
