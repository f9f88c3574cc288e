import { useMutation, useQueryClient } from "@tanstack/react-query";
import { RefreshCw } from "lucide-react";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { Workload } from "@/api/types";
import { Button } from "@/components/button";
import { Ago } from "@/components/time";
import { toastProblem } from "@/components/toast";

/** How fresh the commits are, and a button where no push tells of new ones. */
export function SyncNote({ workload }: { workload: Workload }) {
  const client = useQueryClient();
  const sync = useMutation({
    mutationFn: () => api.sync(workload.name),
    onError: (error) => toastProblem("The repository was not fetched", error),
    onSettled: () => client.invalidateQueries({ queryKey: keys.workload(workload.name) }),
  });
  const { mirror } = workload;
  return (
    <div className="ml-auto flex items-center gap-3 max-sm:w-full">
      <p className="min-w-0 truncate text-faint max-sm:flex-1" title={mirror.error ?? undefined}>
        {mirror.error ? (
          <span className="text-failed">The repository cannot be fetched</span>
        ) : (
          <>
            Fetched <Ago at={mirror.fetched_at} />
          </>
        )}
      </p>
      <Button
        busy={sync.isPending}
        icon={<RefreshCw className="size-3.5" aria-hidden />}
        onClick={() => sync.mutate()}
      >
        Fetch now
      </Button>
    </div>
  );
}
