import { Link } from "@tanstack/react-router";
import { CircleX } from "lucide-react";
import type { Deploy } from "@/api/types";
import { Words } from "@/components/words";
import { causeWords } from "@/lib/status";

/** Causes that keep a container from writing anything. */
const NEVER_STARTED = new Set([
  "image_pull",
  "unschedulable",
  "quota",
  "admission",
  "config_missing",
  "bad_artifact",
]);

/** Why it failed, and what to do about it. */
export function Failure({ deploy }: { deploy: Deploy }) {
  return (
    <section aria-label="Why it failed" className="page-x pb-4">
      <div className="flex gap-3 rounded-lg bg-failed-soft px-4 py-3">
        <CircleX className="mt-0.5 size-4 shrink-0 text-failed" aria-hidden />
        <div className="min-w-0 flex-1">
          {deploy.failure_cause && (
            <p className="font-medium text-failed">{causeWords(deploy.failure_cause)}</p>
          )}
          <p className="break-words whitespace-pre-line">
            <Words text={deploy.message} />
          </p>
          {deploy.hint && (
            <p className="mt-1.5 break-words text-muted">
              <Words text={deploy.hint} />
            </p>
          )}
          <p className="mt-1.5 flex flex-wrap gap-x-4">
            <Link
              to="/deploys/$id/receipt"
              params={{ id: String(deploy.id) }}
              className="link-accent font-medium"
            >
              See the receipt
            </Link>
            {deploy.pull_request != null && (
              <Link
                to="/workloads/$name/pull-requests/$number"
                params={{ name: deploy.workload, number: String(deploy.pull_request) }}
                className="link-accent font-medium"
              >
                See pull request {deploy.pull_request}
              </Link>
            )}
            {deploy.failure_cause === "build" && deploy.build_id != null ? (
              <Link
                to="/builds/$id"
                params={{ id: String(deploy.build_id) }}
                className="link-accent font-medium"
              >
                Read the build's log
              </Link>
            ) : deploy.pull_request != null ? null : (
              <>
                <Link
                  to="/workloads/$name"
                  params={{ name: deploy.workload }}
                  className="link-accent font-medium"
                >
                  See its pods and events
                </Link>
                {!NEVER_STARTED.has(deploy.failure_cause ?? "") && (
                  <Link
                    to="/workloads/$name/logs"
                    params={{ name: deploy.workload }}
                    className="link-accent font-medium"
                  >
                    Read its log
                  </Link>
                )}
              </>
            )}
          </p>
        </div>
      </div>
    </section>
  );
}
