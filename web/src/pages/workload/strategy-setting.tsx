import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { keys, strategyQuery } from "@/api/queries";
import type { Workload } from "@/api/types";
import { Button } from "@/components/button";
import { ProblemView } from "@/components/problem";
import { Bone, Loading } from "@/components/skeleton";
import { Ago } from "@/components/time";
import { toastProblem } from "@/components/toast";
import { stepWords, waveWords } from "@/lib/strategy";
import { Setting } from "./setting";
import { StrategyDialog } from "./strategy-dialog";

/** How a new version reaches the workload's pods. */
export function StrategySetting({ workload }: { workload: Workload }) {
  const { name } = workload;
  const client = useQueryClient();
  const { data: strategy, error, refetch } = useQuery(strategyQuery(name));
  const [editing, setEditing] = useState(false);
  const clear = useMutation({
    mutationFn: () => api.clearStrategy(name),
    onSuccess: (saved) => client.setQueryData(keys.strategy(name), saved),
    onError: (refused) => toastProblem("The strategy is as it was", refused),
  });
  const canary = strategy?.canary ?? [];
  const waves = strategy?.waves ?? [];
  const isSet = canary.length > 0 || waves.length > 0;
  return (
    <Setting name="Rollout strategy" help="How a new version reaches the pods">
      {error && !strategy && <ProblemView error={error} onRetry={() => refetch()} />}
      {!error && !strategy && (
        <>
          <Loading what="the strategy" />
          <Bone className="w-56" />
        </>
      )}
      {strategy && (
        <>
          {!isSet && <p className="text-muted">All pods at once, as the Deployment rolls them.</p>}
          {canary.map((step, index) => (
            // The steps have no names of their own.
            // biome-ignore lint/suspicious/noArrayIndexKey: their order is what they are
            <p key={index}>
              Canary {index + 1}: {stepWords(step)}
            </p>
          ))}
          {waves.map((wave, index) => (
            <p key={wave.clusters.join()} className="wrap-anywhere">
              Wave {index + 1}: {waveWords(wave)}
            </p>
          ))}
          {strategy.changed_by && (
            <p className="text-muted">
              Set by {strategy.changed_by} <Ago at={strategy.changed_at} />
            </p>
          )}
          <div className="mt-2 flex flex-wrap gap-2">
            <Button onClick={() => setEditing(true)}>Change the strategy</Button>
            {isSet && (
              <Button busy={clear.isPending} onClick={() => clear.mutate()}>
                Clear
              </Button>
            )}
          </div>
          {editing && (
            <StrategyDialog
              name={name}
              kind={workload.workload_type}
              strategy={strategy}
              onClose={() => setEditing(false)}
            />
          )}
        </>
      )}
    </Setting>
  );
}
