import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Pin as PinIcon } from "lucide-react";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { Workload } from "@/api/types";
import { Button } from "@/components/button";
import { Ago } from "@/components/time";
import { toastProblem } from "@/components/toast";
import { failedBehind } from "@/lib/status";

/** Why automatic deploys wait, and the button that ends it. */
export function PinNote({ workload }: { workload: Workload }) {
  const { name, pin } = workload;
  const client = useQueryClient();
  const unpin = useMutation({
    mutationFn: () => api.unpin(name),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.workload(name) }),
    onError: (error) => toastProblem("It stays pinned", error),
  });
  if (!pin) return null;
  // The failure stands in full on its own page.
  const failed = failedBehind(pin.reason);
  return (
    <div className="page-x flex flex-wrap items-center gap-x-4 gap-y-2 border-t bg-rail py-2">
      <p className="flex min-w-0 flex-1 items-baseline gap-2">
        <PinIcon className="size-3.5 shrink-0 self-center text-muted" aria-hidden />
        <span className="min-w-0 break-words">
          Pinned by {pin.by} <Ago at={pin.at} />:{" "}
          {failed === null ? (
            pin.reason
          ) : (
            <Link to="/deploys/$id" params={{ id: String(failed) }} className="link">
              deploy {failed} failed
            </Link>
          )}
          .{" "}
          <span className="text-muted">
            Pushes are not deployed by themselves
            {pin.deploy_id && (
              <>
                {" "}
                since{" "}
                <Link to="/deploys/$id" params={{ id: String(pin.deploy_id) }} className="link">
                  deploy {pin.deploy_id}
                </Link>
              </>
            )}
            .
          </span>
        </span>
      </p>
      <Button onClick={() => unpin.mutate()} busy={unpin.isPending}>
        Unpin
      </Button>
    </div>
  );
}
