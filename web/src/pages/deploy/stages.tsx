import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { Check, Minus } from "lucide-react";
import type { Deploy } from "@/api/types";
import { StatusIcon } from "@/components/status";
import { Took } from "@/components/time";
import { type Stage, stagesOf } from "@/lib/stages";

const WORDS: Record<Stage["state"], string> = {
  done: "done",
  active: "runs",
  failed: "failed",
  stopped: "stopped",
  ahead: "not yet",
  skipped: "not needed",
};

/** The road of the deploy: build, apply, roll out, with the time each took. */
export function Stages({ deploy }: { deploy: Deploy }) {
  const stages = stagesOf(deploy.state, deploy.timeline);
  return (
    <section aria-label="Stages" className="border-y">
      <ol className="page-x flex overflow-x-auto">
        {stages.map((stage, index) => (
          <li
            key={stage.name}
            className={clsx(
              "flex min-w-30 flex-1 items-center gap-2.5 py-2.5 pr-4",
              index > 0 && "border-l pl-4",
            )}
          >
            <StageIcon state={stage.state} />
            <span className="min-w-0">
              <span
                className={clsx("block", stage.state === "ahead" ? "text-faint" : "font-medium")}
              >
                {stage.name === "Build" && deploy.build_id != null ? (
                  <Link
                    to="/builds/$id"
                    params={{ id: String(deploy.build_id) }}
                    className="link underline decoration-line-strong underline-offset-3"
                  >
                    Build
                  </Link>
                ) : (
                  stage.name
                )}
              </span>
              <span className="block whitespace-nowrap text-faint">
                {stage.startedAt ? (
                  <>
                    <span className="sr-only">{WORDS[stage.state]}, </span>
                    <Took startedAt={stage.startedAt} finishedAt={stage.finishedAt} />
                  </>
                ) : (
                  WORDS[stage.state]
                )}
              </span>
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function StageIcon({ state }: { state: Stage["state"] }) {
  if (state === "done") return <Check className="size-4 shrink-0 text-ok" aria-hidden />;
  if (state === "skipped") return <Minus className="size-4 shrink-0 text-faint" aria-hidden />;
  if (state === "active") return <StatusIcon tone="progress" />;
  if (state === "failed") return <StatusIcon tone="failed" />;
  return <StatusIcon tone="unknown" className="text-faint" />;
}
