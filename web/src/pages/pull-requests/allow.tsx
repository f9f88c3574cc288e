import { TriangleAlert } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { PullRequest } from "@/api/types";
import { useChange } from "@/api/use-change";
import { Button } from "@/components/button";
import { Sha } from "@/components/commit";
import { FormDialog } from "@/components/form-dialog";
import { safeHref, shortSha } from "@/lib/format";
import { hasPreview } from "@/lib/previews";

interface Props {
  workload: string;
  pull: PullRequest;
}

/** A commit from a fork waits for somebody who read it. */
export function AllowSection({ workload, pull }: Props) {
  const [asking, setAsking] = useState(false);
  const href = safeHref(pull.html_url);
  return (
    <section aria-label="Fork" className="page-x pb-4">
      <div className="flex gap-3 rounded-lg bg-rail px-4 py-3">
        <TriangleAlert className="mt-0.5 size-4 shrink-0 text-waiting" aria-hidden />
        <div className="min-w-0 flex-1">
          <p className="font-medium text-waiting">
            Nobody has allowed <Sha commit={pull.head} className="text-waiting!" /> yet
          </p>
          <p className="max-w-prose">
            It comes from a fork, so anybody may have written it. Its pods would run in the cluster,
            with what the config file lets {workload} reach: read the whole change first.
          </p>
          {hasPreview(pull) && (
            <p className="mt-1 max-w-prose text-muted">
              Until then the preview runs the last commit that was allowed.
            </p>
          )}
          <div className="mt-2.5 flex flex-wrap gap-2">
            {href && (
              <Button asChild>
                <a href={href} target="_blank" rel="noreferrer">
                  Read the change
                </a>
              </Button>
            )}
            <Button onClick={() => setAsking(true)}>
              Allow <span className="font-mono text-xs">{shortSha(pull.head)}</span>
            </Button>
          </div>
        </div>
      </div>
      {asking && <AllowDialog workload={workload} pull={pull} onClose={() => setAsking(false)} />}
    </section>
  );
}

function AllowDialog({ workload, pull, onClose }: Props & { onClose: () => void }) {
  // What is pushed while this is open was not read.
  const [commit] = useState(pull.head);
  const ask = useChange(
    onClose,
    () => api.allowPullRequest(workload, pull.number, commit),
    (client, allowed) => {
      client.setQueryData([...keys.pulls(workload), pull.number], allowed);
      void client.invalidateQueries({ queryKey: keys.pulls(workload) });
    },
  );
  return (
    <FormDialog
      title={`Allow ${shortSha(commit)} of pull request ${pull.number}`}
      description={`${pull.title}, by ${pull.author}`}
      action={
        <>
          Allow <span className="font-mono text-xs">{shortSha(commit)}</span>
        </>
      }
      danger
      ready
      ask={ask}
      onClose={onClose}
    >
      <p>
        You say that you have read this commit, and that its code may run in the cluster. Its pods
        share the secrets, databases and volumes that the config file names.
      </p>
      <p className="text-muted">
        It holds for exactly this commit: a new push needs a new word. The way back is to remove the
        preview. It is on record that you allowed it.
      </p>
    </FormDialog>
  );
}
