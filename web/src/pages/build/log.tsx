import { Download, FoldVertical, TextWrap, UnfoldVertical } from "lucide-react";
import { useCallback, useMemo, useRef, useState } from "react";
import type { Build, BuildStep, LogLine } from "@/api/types";
import { IconButton } from "@/components/button";
import { type LogBuffer, useBufferVersion } from "@/components/log/buffer";
import { downloadText } from "@/components/log/download";
import { LogSearch, Toggle } from "@/components/log/toolbar";
import { useLogSearch } from "@/components/log/use-search";
import { type LogHandle, VirtualLog } from "@/components/log/virtual-log";
import { countRows, groupSteps, rowAt } from "@/lib/build-rows";
import { shortSha } from "@/lib/format";
import { isBuildActive } from "@/lib/status";
import { LineRow, StepRow } from "./rows";
import { useBuildLog } from "./use-build-log";

/** The log, grouped by step; steps open and close. */
export function BuildLog({ build }: { build: Build }) {
  const { buffer, state } = useBuildLog(build.id);
  const version = useBufferVersion(buffer);
  const linesOf = useLinesByStep(buffer, version);
  const [wrap, setWrap] = useState(true);
  const [wasOver] = useState(!isBuildActive(build.state));
  const [following, setFollowing] = useState(build.state !== "succeeded");
  const [chosen, setChosen] = useState<ReadonlyMap<number, boolean>>(new Map());

  // Who comes to a build that went well wants its steps; in all others, what was written.
  const isOpen = useCallback(
    (step: BuildStep) => {
      const own = chosen.get(step.number);
      if (own !== undefined) return own;
      return !wasOver || step.state === "failed" || step.state === "running";
    },
    [chosen, wasOver],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: version stands for the lines within
  const groups = useMemo(
    () => groupSteps(build.steps, linesOf, isOpen),
    [build.steps, linesOf, isOpen, version],
  );
  const count = countRows(groups);
  const allOpen = groups.every((group) => group.open);

  const handle = useRef<LogHandle>(null);
  const textOf = useCallback(
    (index: number) => {
      const row = rowAt(groups, index);
      return row?.kind === "line" ? row.line.text : null;
    },
    [groups],
  );
  const reveal = useCallback((index: number) => handle.current?.reveal(index), []);
  const found = useLogSearch({ count, textOf, version: groups, reveal });
  const toggle = useCallback((step: number, open: boolean) => {
    setFollowing(false);
    setChosen((before) => new Map(before).set(step, open));
  }, []);
  const setAll = (open: boolean) => {
    setFollowing(false);
    setChosen(new Map(groups.map((group) => [group.step.number, open])));
  };
  const search = (value: string) => {
    // What is sought may stand in a step that is closed.
    if (value !== "" && !allOpen) setAll(true);
    found.bar.onChange(value);
  };

  return (
    <>
      <div className="page-x flex flex-wrap items-center gap-2 border-t py-2">
        <h2 className="font-medium max-sm:sr-only">Log</h2>
        <div className="flex min-w-0 items-center gap-1 max-sm:-mr-2 max-sm:flex-1 sm:ml-auto">
          <LogSearch {...found.bar} onChange={search} />
          <Toggle label="Wrap" icon={<TextWrap aria-hidden />} pressed={wrap} onChange={setWrap} />
          <IconButton
            label={allOpen ? "Close all steps" : "Open all steps"}
            onClick={() => setAll(!allOpen)}
          >
            {allOpen ? <FoldVertical /> : <UnfoldVertical />}
          </IconButton>
          <IconButton
            label="Download the log"
            disabled={buffer.items.length === 0}
            onClick={() =>
              downloadText(`${build.workload}-${shortSha(build.commit)}-build`, plain(buffer.items))
            }
          >
            <Download />
          </IconButton>
        </div>
      </div>
      {count === 0 ? (
        <p className="flex-1 bg-code px-4 py-3 text-muted md:px-6" role="status">
          {emptyWords(build, state)}
        </p>
      ) : (
        <VirtualLog
          ref={handle}
          label={`Log of build ${build.id}`}
          count={count}
          rowKey={(index) => keyAt(groups, index)}
          wrap={wrap}
          following={following}
          onFollowing={setFollowing}
          render={(index) => {
            const row = rowAt(groups, index);
            if (row === null) return null;
            if (row.kind === "step") return <StepRow rows={row.rows} onToggle={toggle} />;
            return (
              <LineRow
                line={row.line}
                number={row.number}
                search={found.wanted}
                current={index === found.current}
              />
            );
          }}
        />
      )}
    </>
  );
}

function emptyWords(build: Build, state: string): string {
  if (build.state === "queued") return "It waits for a free place. Its log appears here.";
  return state === "ended" ? "This build wrote nothing." : "Opening the log";
}

function keyAt(groups: ReturnType<typeof groupSteps>, index: number): string {
  const row = rowAt(groups, index);
  if (row === null) return String(index);
  return row.kind === "step" ? `step-${row.rows.step.number}` : `line-${row.line.seq}`;
}

function* plain(items: LogLine[]): Generator<string> {
  for (const line of items) yield `${line.at} ${line.text}`;
}

/** Sorts only what is new into its step, and all again when old lines were let go. */
function useLinesByStep(buffer: LogBuffer<LogLine>, version: number): Map<number, LogLine[]> {
  const state = useRef({ map: new Map<number, LogLine[]>(), seen: 0 });
  // biome-ignore lint/correctness/useExhaustiveDependencies: version stands for the buffer's content
  return useMemo(() => {
    const current = state.current;
    const total = buffer.dropped + buffer.items.length;
    if (total < current.seen || buffer.dropped > 0) {
      current.map = new Map();
      current.seen = buffer.dropped;
    }
    for (const line of buffer.items.slice(current.seen - buffer.dropped)) {
      const lines = current.map.get(line.step);
      if (lines) lines.push(line);
      else current.map.set(line.step, [line]);
    }
    current.seen = total;
    return current.map;
  }, [buffer, version]);
}
