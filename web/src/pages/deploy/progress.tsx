import type { Deploy, WorkloadStatus } from "@/api/types";
import { RolloutBar } from "@/components/rollout-bar";
import { percent } from "@/lib/format";
import { countPods, countWords, type PodCounts, podsOf } from "@/lib/rollout";

interface Props {
  deploy: Deploy;
  /** What the server's own cluster shows now, while this deploy's pods change. */
  status: WorkloadStatus | undefined;
}

/** One bar of pods with the counts as words; after the end, the figures that the deploy kept. */
export function Progress({ deploy, status }: Props) {
  const reached = deploy.started_at != null && deploy.pods_desired > 0;
  // A wave may be in other clusters: then only the deploy's own figures are of them.
  const seen = (deploy.plan?.waves?.length ?? 0) > 0 ? undefined : status;
  if (!reached && seen === undefined) return null;
  const counts = seen ? countPods(seen) : keptCounts(deploy);
  const kept = podsOf(deploy.pods_ready, deploy.pods_desired);
  // The pods of a canary are few of many: 100 % of them is not yet the deploy.
  const words = seen ? countWords(counts) : deploy.state === "canary" ? `Canary: ${kept}` : kept;
  return (
    <section aria-label="Pods" className="page-x py-4">
      <div className="flex items-baseline justify-between gap-4">
        <p className="font-medium">{words}</p>
        {deploy.state !== "canary" && (
          <p className="nums font-medium">{percent(deploy.pods_ready, deploy.pods_desired)} %</p>
        )}
      </div>
      <RolloutBar counts={counts} className="mt-2" />
    </section>
  );
}

function keptCounts(deploy: Deploy): PodCounts {
  const rest = Math.max(0, deploy.pods_desired - deploy.pods_ready);
  const failed = deploy.state === "failed";
  return {
    ready: Math.min(deploy.pods_ready, deploy.pods_desired),
    starting: 0,
    failing: failed ? rest : 0,
    old: 0,
    missing: failed ? 0 : rest,
  };
}
