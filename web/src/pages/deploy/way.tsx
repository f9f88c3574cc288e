import { useMutation, useQueryClient } from "@tanstack/react-query";
import { applyDeploy } from "@/api/cache";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { Deploy } from "@/api/types";
import { Button } from "@/components/button";
import { StatusIcon } from "@/components/status";
import { toastProblem } from "@/components/toast";
import { awaitsWord, type Tone } from "@/lib/status";
import { promotions, type Where, wayOf } from "@/lib/strategy";

const TONE: Record<Where, Tone> = {
  done: "ok",
  now: "progress",
  ahead: "unknown",
  stopped: "failed",
};

const WORD: Record<Where, string> = {
  done: "passed",
  now: "goes on",
  ahead: "to come",
  stopped: "ended here",
};

/** The canary and the waves of a deploy, where it is, and what promotes it. */
export function Way({ deploy }: { deploy: Deploy }) {
  const client = useQueryClient();
  const promote = useMutation({
    mutationFn: (all: boolean) => api.promoteDeploy(deploy.id, all, deploy.plan?.step),
    onError: (error) => toastProblem("The canary stays where it is", error),
    onSuccess: (answer) => applyDeploy(client, answer),
    onSettled: () => client.invalidateQueries({ queryKey: keys.deploy(deploy.id) }),
  });
  const way = wayOf(deploy);
  const waits = awaitsWord(deploy);
  // Where it is, it may stand: by somebody's pause, or until somebody's word.
  const stands = deploy.paused_by ? "paused" : waits ? "waits for your word" : null;
  if (way.length === 0) return null;
  return (
    <section aria-label="Its way" className="page-x py-4">
      <ol className="flex flex-col gap-1.5">
        {way.map(({ name, words, where }) => (
          <li key={name} className="flex items-start gap-2">
            <StatusIcon
              tone={where === "now" && stands ? "waiting" : TONE[where]}
              className="mt-0.5 size-4"
            />
            <span className="min-w-0 wrap-anywhere">
              <span className="font-medium">{name}</span> {words}{" "}
              <span className="text-faint">({(where === "now" && stands) || WORD[where]})</span>
            </span>
          </li>
        ))}
      </ol>
      <div className="mt-3 flex flex-wrap gap-2 empty:hidden">
        {promotions(deploy).map(({ label, all }, index) => (
          <Button
            key={label}
            look={waits && index === 0 ? "primary" : "plain"}
            busy={promote.isPending && promote.variables === all}
            onClick={() => promote.mutate(all)}
            className="max-sm:w-full"
          >
            {label}
          </Button>
        ))}
      </div>
    </section>
  );
}
