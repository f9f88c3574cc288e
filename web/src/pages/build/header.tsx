import { Link } from "@tanstack/react-router";
import { CircleX, Rocket, RotateCcw, Square } from "lucide-react";
import type { Build } from "@/api/types";
import { Button } from "@/components/button";
import { CommitLine } from "@/components/commit";
import { Facts } from "@/components/facts";
import { HeadBones, Loading } from "@/components/skeleton";
import { StatusIcon } from "@/components/status";
import { Ago, Took } from "@/components/time";
import { Words } from "@/components/words";
import { shortSha } from "@/lib/format";
import { BUILD } from "@/lib/status";

interface Props {
  build: Build;
  onCancel: (() => void) | null;
  onRetry: (() => void) | null;
}

const HEADLINES: Record<Build["state"], string> = {
  queued: "Build queued",
  running: "Building",
  succeeded: "Build succeeded",
  failed: "Build failed",
  canceled: "Build canceled",
};

/** State first; then what, who, when and how long; the failure in full. */
export function BuildHeader({ build, onCancel, onRetry }: Props) {
  return (
    <header className="page-x flex flex-wrap items-start gap-x-6 gap-y-3 pt-4 pb-3">
      <div className="min-w-0 flex-1 basis-80">
        <h1
          className="flex items-center gap-2 text-xl font-semibold tracking-tight"
          aria-live="polite"
        >
          <StatusIcon tone={BUILD[build.state].tone} className="size-5" />
          {HEADLINES[build.state]}
        </h1>
        <div className="mt-1">
          <CommitLine commit={build.commit} title={build.title} />
        </div>
        <Facts className="mt-0.5">
          <Link
            to="/workloads/$name"
            params={{ name: build.workload }}
            className="link font-medium wrap-anywhere"
          >
            {build.workload}
          </Link>
          <span>{build.requested_by === "push" ? "by a push" : `by ${build.requested_by}`}</span>
          <Ago at={build.created_at} />
          {build.started_at && (
            <span>
              {build.finished_at ? "took " : "for "}
              <Took startedAt={build.started_at} finishedAt={build.finished_at} />
            </span>
          )}
          {build.attempt > 1 && <span>try {build.attempt}</span>}
        </Facts>
      </div>
      <div className="flex gap-2 max-sm:w-full">
        {onCancel && (
          <Button
            look="danger"
            icon={<Square className="size-3" aria-hidden />}
            onClick={onCancel}
            className="max-sm:flex-1"
          >
            Cancel the build
          </Button>
        )}
        {onRetry && (
          <Button
            icon={<RotateCcw className="size-3.5" aria-hidden />}
            onClick={onRetry}
            className="max-sm:flex-1"
          >
            Build <span className="font-mono text-xs">{shortSha(build.commit)}</span> again
          </Button>
        )}
        {build.state === "succeeded" && (
          <Button asChild look="primary" className="max-sm:flex-1">
            <Link
              to="/workloads/$name"
              params={{ name: build.workload }}
              search={{ deploy: build.commit }}
            >
              <Rocket className="size-3.5" aria-hidden />
              <span>
                Deploy <span className="font-mono text-xs">{shortSha(build.commit)}</span>
              </span>
            </Link>
          </Button>
        )}
      </div>
      {build.error && build.state === "failed" && (
        <div className="flex basis-full gap-3 rounded-lg bg-failed-soft px-4 py-3">
          <CircleX className="mt-0.5 size-4 shrink-0 text-failed" aria-hidden />
          <div className="min-w-0">
            <p className="font-medium break-words whitespace-pre-line">
              <Words text={build.error} />
            </p>
            {build.hint && (
              <p className="mt-1 break-words text-muted">
                <Words text={build.hint} />
              </p>
            )}
          </div>
        </div>
      )}
    </header>
  );
}

export const BuildSkeleton = () => (
  <>
    <Loading what="the build" />
    <HeadBones className="pb-3" />
    <div className="flex-1 bg-code" aria-hidden />
  </>
);
