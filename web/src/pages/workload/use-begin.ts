import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { applyDeploy } from "@/api/cache";
import { keys } from "@/api/queries";
import type { DeploySummary } from "@/api/types";

/** Asks for a deploy of any kind, and goes to its page. */
export function useBegin<V = void>(
  workload: string,
  ask: (asked: V) => Promise<DeploySummary>,
  /** What else has changed by it. */
  after?: (started: DeploySummary) => void,
) {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: ask,
    onSuccess: async (started) => {
      applyDeploy(client, started);
      void client.invalidateQueries({ queryKey: keys.deploysOf(workload) });
      after?.(started);
      await navigate({ to: "/deploys/$id", params: { id: String(started.id) } });
    },
  });
}
