import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { applyBuild } from "@/api/cache";
import { api, idempotencyKey } from "@/api/client";
import { keys } from "@/api/queries";
import type { Commit } from "@/api/types";
import { toastProblem } from "@/components/toast";
import { shortSha } from "@/lib/format";

/** Asks for a commit's build, or for another try of one that failed. */
export function useBuild(workload: string): (commit: Commit) => void {
  const client = useQueryClient();
  const { mutate } = useMutation({
    mutationFn: (commit: Commit) =>
      api.createBuild(workload, commit.id, commit.build != null, idempotencyKey()),
    onSuccess: (build) => applyBuild(client, build),
    onError: (error, commit) => {
      toastProblem(`${shortSha(commit.id)} is not being built`, error);
      void client.invalidateQueries({ queryKey: keys.commits(workload) });
    },
  });
  return useCallback((commit: Commit) => mutate(commit), [mutate]);
}
