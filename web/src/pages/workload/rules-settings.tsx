import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { api } from "@/api/client";
import { keys, meQuery, rulesQuery } from "@/api/queries";
import type { ApprovalRule, DeployWindows, Workload } from "@/api/types";
import { Button } from "@/components/button";
import { ProblemView } from "@/components/problem";
import { Bone, Loading } from "@/components/skeleton";
import { Status } from "@/components/status";
import { Ago } from "@/components/time";
import { toastProblem } from "@/components/toast";
import { Words } from "@/components/words";
import { plural } from "@/lib/format";
import { HOLDING } from "@/lib/status";
import { windowsText } from "@/lib/windows";
import { ApprovalsDialog, LockDialog, UnlockDialog, WindowsDialog } from "./rules-dialogs";
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
  const { lock, verdict, own, of_project: project } = rules;
  const close = () => setAsking(null);
  return (
    <>
      <Setting name="A deploy of yours now" help="What the rules say to you">
        <Status
          look={
            verdict.allowed
              ? { tone: "ok", word: "It would begin at once" }
              : { tone: "waiting", word: "It would be held" }
          }
        />
        <ul>
          {verdict.holds.map((hold) => (
            <li key={`${hold.rule}:${hold.scope}:${hold.message}`} className="mt-1 break-words">
              <span className="font-medium">{HOLDING[hold.rule]}:</span>{" "}
              <Words text={hold.message} />
              {hold.allowed_at && (
                <>
                  {" "}
                  Allowed <Ago at={hold.allowed_at} />.
                </>
              )}
              {hold.hint && (
                <span className="block text-muted">
                  <Words text={hold.hint} />
                </span>
              )}
            </li>
          ))}
        </ul>
        {rules.freezes.length > 0 && (
          <p className="mt-1">
            <Link to="/freezes" className="link-accent font-medium">
              {plural(rules.freezes.length, "freeze")} now or ahead
            </Link>
          </p>
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
          <Of what={`Project ${rules.project}`}>
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
          <Of what={`Project ${rules.project}`}>
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
        <WindowsDialog name={name} now={own.windows ?? null} onClose={close} />
      )}
      {asking === "approvals" && (
        <ApprovalsDialog name={name} now={own.approvals ?? null} onClose={close} />
      )}
    </>
  );
}

const Of = ({ what, children }: { what: string; children: ReactNode }) => (
  <p className="break-words">
    <span className="text-muted">{what}:</span> {children}
  </p>
);

const Windows = ({ windows }: { windows: DeployWindows | null | undefined }) =>
  windows ? `${windowsText(windows.windows)} (${windows.time_zone})` : "at any time";

function Approvals({ rule }: { rule: ApprovalRule | null | undefined }) {
  if (!rule) return "none needed";
  const from = rule.role ? `whoever is ${rule.role}` : (rule.people ?? []).join(", ");
  return `${rule.count} from ${from}${rule.rollback_needs_approval ? ", for rollbacks too" : ""}`;
}
