import { Link } from "@tanstack/react-router";
import { Rocket, Square } from "lucide-react";
import type { Deploy } from "@/api/types";
import { Button } from "@/components/button";
import { CommitLine } from "@/components/commit";
import { Facts } from "@/components/facts";
import { StatusIcon } from "@/components/status";
import { Ago, Took } from "@/components/time";
import { shortSha } from "@/lib/format";
import { deployHeadline, deployTone, failedBehind, KIND } from "@/lib/status";

interface Props {
  deploy: Deploy;
  onCancel: (() => void) | null;
  onHold: (() => void) | null;
  onAgain: (() => void) | null;
}

/** State first; then what, who, when and how long. */
export function DeployHeader({ deploy, onCancel, onHold, onAgain }: Props) {
  const pull = deploy.pull_request ?? null;
  // The reason would be its own failure, which stands below in full.
  const bySelf = deploy.bad != null && failedBehind(deploy.bad.reason) === deploy.id;
  return (
    <header className="page-x flex flex-wrap items-start gap-x-6 gap-y-3 pt-4 pb-4">
      <div className="min-w-0 flex-1 basis-80">
        <h1
          className="flex items-center gap-2 text-xl font-semibold tracking-tight"
          aria-live="polite"
        >
          <StatusIcon tone={deployTone(deploy)} className="size-5" />
          {deployHeadline(deploy)}
        </h1>
        <div className="mt-1">
          <CommitLine commit={deploy.commit} title={deploy.title} />
        </div>
        <Facts className="mt-0.5">
          <Link
            to="/workloads/$name"
            params={{ name: deploy.workload }}
            className="link font-medium wrap-anywhere"
          >
            {deploy.workload}
          </Link>
          {pull === null ? (
            <span>{KIND[deploy.kind]}</span>
          ) : (
            <Link
              to="/workloads/$name/pull-requests/$number"
              params={{ name: deploy.workload, number: String(pull) }}
              className="link font-medium"
            >
              Pull request {pull}
            </Link>
          )}
          <span>by {deploy.requested_by}</span>
          <Ago at={deploy.created_at} />
          <span>
            {deploy.finished_at ? "took " : "for "}
            <Took startedAt={deploy.created_at} finishedAt={deploy.finished_at} />
          </span>
        </Facts>
        {deploy.bad && (
          <p className="mt-2 max-w-prose break-words text-failed">
            Marked as bad by {deploy.bad.by} <Ago at={deploy.bad.at} />
            {bySelf ? ", with the automatic rollback" : `: ${deploy.bad.reason}`}
          </p>
        )}
        {deploy.override_reason && (
          <p className="mt-2 max-w-prose break-words text-muted">
            Deployed although it is marked as bad: {deploy.override_reason}
          </p>
        )}
        {deploy.reason && <p className="mt-2 max-w-prose break-words">“{deploy.reason}”</p>}
      </div>
      <div className="flex flex-wrap gap-2 max-sm:w-full">
        <Button asChild className="max-sm:flex-1">
          {pull === null ? (
            <Link to="/workloads/$name/logs" params={{ name: deploy.workload }}>
              Logs
            </Link>
          ) : (
            <Link
              to="/workloads/$name/pull-requests/$number"
              params={{ name: deploy.workload, number: String(pull) }}
            >
              See the preview
            </Link>
          )}
        </Button>
        {deploy.of_deploy != null && (
          <Button asChild className="max-sm:flex-1">
            <Link
              to="/deploys/$id/compare/$other"
              params={{ id: String(deploy.of_deploy), other: String(deploy.id) }}
            >
              Compare with #{deploy.of_deploy}
            </Link>
          </Button>
        )}
        {onHold && (
          <Button onClick={onHold} className="max-sm:flex-1">
            {deploy.paused_by ? "Resume" : "Pause"}
          </Button>
        )}
        {deploy.state === "succeeded" && pull === null && (
          <Button asChild className="max-sm:flex-1">
            <Link
              to="/workloads/$name"
              params={{ name: deploy.workload }}
              search={{ rollback: String(deploy.id) }}
            >
              Roll back to this
            </Link>
          </Button>
        )}
        {onCancel && (
          <Button
            look="danger"
            icon={<Square className="size-3" aria-hidden />}
            onClick={onCancel}
            className="max-sm:flex-1"
          >
            Cancel the deploy
          </Button>
        )}
        {onAgain && (
          <Button
            icon={<Rocket className="size-3.5" aria-hidden />}
            shortcut="d"
            onClick={onAgain}
            className="max-sm:flex-1"
          >
            Deploy <span className="font-mono text-xs">{shortSha(deploy.commit)}</span> again
          </Button>
        )}
      </div>
    </header>
  );
}
