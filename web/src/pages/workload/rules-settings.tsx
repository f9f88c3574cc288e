import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { api } from "@/api/client";
import { keys, meQuery, rulesQuery } from "@/api/queries";
import type { Workload } from "@/api/types";
import { Button } from "@/components/button";
import { ProblemView } from "@/components/problem";
import { Bone, Loading } from "@/components/skeleton";
import { Ago } from "@/components/time";
import { toastProblem } from "@/components/toast";
import { plural } from "@/lib/format";
import { ExceptButtons } from "@/pages/rules/except";
import { Holds } from "@/pages/rules/holds";
import { ApprovalsDialog, WindowsDialog } from "@/pages/rules/rule-dialogs";
import { ofWorkload } from "@/pages/rules/target";
import { Approvals, Windows } from "@/pages/rules/words";
import { LockDialog, UnlockDialog } from "./lock-dialogs";
import { Setting } from "./setting";

type Asking = "lock" | "break" | "windows" | "approvals";

/** The rules that hold deploys back, and what they say to whoever asks now. */
export function RulesSettings({ workload }: { workload: Workload }) {
  const { name } = workload;
  const { data: rules, error, refetch } = useQuery(rulesQuery(name));
  const { data: me } = useQuery(meQuery);
  const [asking, setAsking] = useState<Asking | null>(null);
  const client = useQueryClient();
  const unlock = useMutation({
    mutationFn: () => api.unlock(name, null),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.workload(name) }),
    onError: (refused) => toastProblem("It stays locked", refused),
  });
  if (!rules) {
    return (
      <Setting name="Rules" help="What holds deploys back">
        {error ? (
          <ProblemView error={error} onRetry={() => refetch()} />
        ) : (
          <>
            <Loading what="the rules" />
            <Bone className="w-56" />
          </>
        )}
      </Setting>
    );
  }
  const { lock, own, of_project: project } = rules;
  const close = () => setAsking(null);
  return (
    <>
      <Setting name="A deploy of yours now" help="What the rules say to you">
        <Holds verdict={rules.verdict} />
        {rules.freezes.length > 0 && (
          <div className="mt-2 flex flex-wrap items-center gap-x-4 gap-y-2">
            <ExceptButtons freezes={rules.freezes} workload={name} />
            <Link to="/freezes" className="link-accent font-medium">
              {plural(rules.freezes.length, "freeze")} now or ahead
            </Link>
          </div>
        )}
      </Setting>
      <Setting name="Lock" help="Only its owner deploys while it holds">
        {lock ? (
          <>
            <p className="break-words">
              Locked by {lock.by} <Ago at={lock.at} />: “{lock.reason}”
            </p>
            {lock.until && (
              <p className="text-muted">
                Comes off by itself <Ago at={lock.until} />
              </p>
            )}
            <div className="mt-2">
              {lock.by === me?.name ? (
                <Button busy={unlock.isPending} onClick={() => unlock.mutate()}>
                  Unlock
                </Button>
              ) : (
                <Button look="danger" onClick={() => setAsking("break")}>
                  Break the lock
                </Button>
              )}
            </div>
          </>
        ) : (
          <>
            <p className="mb-2 text-muted">Not locked.</p>
            <Button onClick={() => setAsking("lock")}>Lock</Button>
          </>
        )}
      </Setting>
      <Setting name="Windows" help="When deploys begin">
        <Of what="This workload">
          <Windows windows={own.windows} />
        </Of>
        {project.windows && (
          <Of what={<ProjectLink project={rules.project} />}>
            <Windows windows={project.windows} />
          </Of>
        )}
        <Button onClick={() => setAsking("windows")} className="mt-2">
          Change the windows
        </Button>
      </Setting>
      <Setting name="Approvals" help="How many others must approve a deploy">
        <Of what="This workload">
          <Approvals rule={own.approvals} />
        </Of>
        {project.approvals && (
          <Of what={<ProjectLink project={rules.project} />}>
            <Approvals rule={project.approvals} />
          </Of>
        )}
        <Button onClick={() => setAsking("approvals")} className="mt-2">
          Change the approvals
        </Button>
      </Setting>
      {asking === "lock" && <LockDialog name={name} onClose={close} />}
      {asking === "break" && lock && <UnlockDialog name={name} lock={lock} onClose={close} />}
      {asking === "windows" && (
        <WindowsDialog target={ofWorkload(name)} now={own.windows ?? null} onClose={close} />
      )}
      {asking === "approvals" && (
        <ApprovalsDialog target={ofWorkload(name)} now={own.approvals ?? null} onClose={close} />
      )}
    </>
  );
}

const ProjectLink = ({ project }: { project: string }) => (
  <Link to="/projects/$project" params={{ project }} className="link text-muted! underline!">
    Project {project}
  </Link>
);

const Of = ({ what, children }: { what: ReactNode; children: ReactNode }) => (
  <p className="break-words">
    <span className="text-muted">{what}:</span> {children}
  </p>
);
