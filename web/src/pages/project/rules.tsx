import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { projectRulesQuery } from "@/api/queries";
import { Button } from "@/components/button";
import { ProblemView } from "@/components/problem";
import { Bone, Loading } from "@/components/skeleton";
import { Ago } from "@/components/time";
import { ApprovalsDialog, WindowsDialog } from "@/pages/rules/rule-dialogs";
import { ofProject } from "@/pages/rules/target";
import { Approvals, Windows } from "@/pages/rules/words";
import { Setting } from "@/pages/workload/setting";

/** Windows and approvals of a project; a workload's own hold besides. */
export function ProjectRules({ project }: { project: string }) {
  const { data: rules, error, refetch } = useQuery(projectRulesQuery(project));
  const [asking, setAsking] = useState<"windows" | "approvals" | null>(null);
  const close = () => setAsking(null);
  if (!rules) {
    return (
      <div className="page-x py-4">
        {error ? (
          <ProblemView error={error} onRetry={() => refetch()} />
        ) : (
          <>
            <Loading what="the rules" />
            <Bone className="w-56" />
          </>
        )}
      </div>
    );
  }
  const target = ofProject(project);
  return (
    <div className="page-x flex max-w-3xl flex-col gap-5 py-5">
      <Setting name="Windows" help="When deploys begin; those of a workload must be open, too">
        <p className="break-words first-letter:uppercase">
          <Windows windows={rules.windows} />
        </p>
        <Button onClick={() => setAsking("windows")} className="mt-2">
          Change the windows
        </Button>
      </Setting>
      <Setting
        name="Approvals"
        help="How many others must approve a deploy; those of a workload must be met, too"
      >
        <p className="break-words first-letter:uppercase">
          <Approvals rule={rules.approvals} />
        </p>
        <Button onClick={() => setAsking("approvals")} className="mt-2">
          Change the approvals
        </Button>
      </Setting>
      {rules.changed_by && (
        <p className="text-muted">
          Changed by {rules.changed_by} <Ago at={rules.changed_at} />
        </p>
      )}
      {asking === "windows" && (
        <WindowsDialog target={target} now={rules.windows ?? null} onClose={close} />
      )}
      {asking === "approvals" && (
        <ApprovalsDialog target={target} now={rules.approvals ?? null} onClose={close} />
      )}
    </div>
  );
}
