import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import type { ReactNode } from "react";
import type { DeploySummary, Run, Workload, WorkloadStatus } from "@/api/types";
import { Button } from "@/components/button";
import { CommitLine, Sha } from "@/components/commit";
import { Facts } from "@/components/facts";
import { Held } from "@/components/held";
import { RolloutBar } from "@/components/rollout-bar";
import { Bone, BoneLine } from "@/components/skeleton";
import { Status, StatusIcon } from "@/components/status";
import { Ago, Took } from "@/components/time";
import { Words } from "@/components/words";
import { percent } from "@/lib/format";
import { heldNow } from "@/lib/held";
import { countPods, countWords } from "@/lib/rollout";
import { deployHeadline, deployTone, deployWords, isDeployActive, KIND, RUN } from "@/lib/status";

interface Props {
  workload: Workload;
  status: WorkloadStatus | undefined;
  /** On a phone it makes room for the tabs other than the first. */
  aside: boolean;
}

/**
 * The deploy to look at: the newest while it runs, when it failed, or when it was canceled after the
 * cluster was `told` to run it, else what runs now. `kept` is what ran well before it when that is
 * another one.
 */
export function deployInView(
  workload: Pick<Workload, "current" | "latest_deploy">,
  told?: string | null,
): {
  deploy: DeploySummary | null;
  kept: DeploySummary | null;
} {
  const { current, latest_deploy: latest } = workload;
  const left =
    latest?.state === "canceled" && told === latest.commit && current?.commit !== latest.commit;
  if (latest && (isDeployActive(latest.state) || latest.state === "failed" || left)) {
    const other = current && current.id !== latest.id ? current : null;
    return { deploy: latest, kept: other };
  }
  return { deploy: current ?? latest ?? null, kept: null };
}

/** "DEPLOY FINISHED": what was brought out last, and how its pods do. */
export function CurrentDeploy({ workload, status, aside }: Props) {
  const { deploy, kept } = deployInView(workload, status?.commit);
  return (
    <section
      aria-label="Current deployment"
      className={clsx(
        "page-x grid gap-x-10 gap-y-4 border-t py-4 lg:grid-cols-[1fr_minmax(18rem,26rem)]",
        aside && "max-md:hidden",
      )}
    >
      {deploy ? (
        <DeployFacts deploy={deploy} kept={kept} told={status?.commit} />
      ) : (
        <div>
          <p className="flex items-center gap-2 text-lg font-semibold">
            <StatusIcon tone="unknown" className="size-4.5" />
            Nothing is deployed yet
          </p>
          <p className="mt-1 text-muted">
            Deploy a commit: it is built first where needed, then brought out.
          </p>
        </div>
      )}
      {deploy && !status?.schedule && <Pods status={status} said={deploy.message} />}
      {deploy && status?.schedule && (
        <LastRun run={status.schedule.latest_run ?? null} reason={status.reason} />
      )}
    </section>
  );
}

interface FactsProps {
  deploy: DeploySummary;
  kept: DeploySummary | null;
  /** The commit that the cluster was last told to run. */
  told: string | null | undefined;
}

function DeployFacts({ deploy, kept, told }: FactsProps) {
  const active = isDeployActive(deploy.state);
  // What changed nothing in the cluster is not what a rollback would leave.
  const isLeft = deploy.state === "failed" && told === deploy.commit;
  const stays = deploy.state === "failed" && !isLeft && told === kept?.commit;
  const held = heldNow(deploy);
  return (
    <div className="min-w-0">
      <Link
        to="/deploys/$id"
        params={{ id: String(deploy.id) }}
        className="link inline-flex items-center gap-2 text-lg font-semibold"
      >
        <StatusIcon tone={deployTone(deploy)} className="size-4.5" />
        {deployHeadline(deploy)}
      </Link>
      <div className="mt-1">
        <CommitLine commit={deploy.commit} title={deploy.title} />
      </div>
      <Facts className="mt-0.5">
        {deploy.kind !== "regular" && <span>{KIND[deploy.kind]}</span>}
        <span>by {deploy.requested_by}</span>
        <Ago at={deploy.finished_at ?? deploy.created_at} />
        <span>
          {active ? "for " : "took "}
          <Took startedAt={deploy.created_at} finishedAt={deploy.finished_at} />
        </span>
      </Facts>
      {held && (
        <Held held={held} className="mt-2">
          {held.approvals && (
            <p className="mt-1">
              <Link
                to="/deploys/$id"
                params={{ id: String(deploy.id) }}
                className="link-accent font-medium"
              >
                Approve or reject it
              </Link>
            </p>
          )}
        </Held>
      )}
      {!held && deploy.state !== "succeeded" && deploy.message && (
        <p
          className={
            deploy.state === "failed" ? "mt-2 break-words text-failed" : "mt-2 break-words"
          }
        >
          <Words text={deployWords(deploy)} />
        </p>
      )}
      {deploy.state === "canary" && (
        <p className="mt-1">
          <Link
            to="/deploys/$id"
            params={{ id: String(deploy.id) }}
            className="link-accent font-medium"
          >
            Look at it and promote it
          </Link>
        </p>
      )}
      {kept && (
        <div className="mt-2.5 flex items-center gap-3 text-muted max-sm:flex-wrap">
          {isLeft && kept.commit !== deploy.commit && (
            <Button asChild>
              <Link
                to="."
                search={(before: object) => ({ ...before, rollback: String(kept.id) }) as never}
              >
                Roll back to <Sha commit={kept.commit} className="text-text!" />
              </Link>
            </Button>
          )}
          <p className="flex min-w-0 items-baseline gap-2">
            {active && <span className="shrink-0">Takes the place of</span>}
            {stays && <span className="shrink-0">Still runs</span>}
            {(active || stays) && <Sha commit={kept.commit} />}
            <span className="truncate" title={kept.title}>
              {kept.title}
            </span>
          </p>
        </div>
      )}
    </div>
  );
}

/** "Pods running 3 · Desired 3 · 100 %" over the bar of pods. */
function Pods({ status, said }: { status: WorkloadStatus | undefined; said: string | undefined }) {
  if (status === undefined) return <PodsSkeleton />;
  const counts = countPods(status);
  const whole = percent(status.pods_updated_ready, status.pods_desired);
  return (
    <div>
      <div className="nums flex items-baseline justify-between gap-5">
        <dl className="flex items-baseline gap-x-5">
          <Figure name="Pods running">{status.pods_running}</Figure>
          <Figure name="Desired">{status.pods_desired}</Figure>
        </dl>
        {status.pods_desired > 0 && <p className="font-medium">{whole} %</p>}
      </div>
      <RolloutBar counts={counts} className="mt-2" />
      <p className="mt-1.5 break-words text-muted">{countWords(counts)}</p>
      {status.health !== "healthy" && status.reason !== "" && status.reason !== said && (
        <p
          className={clsx(
            "mt-0.5 break-words",
            status.health === "degraded" ? "text-failed" : "text-muted",
          )}
        >
          <Words text={status.reason} />
        </p>
      )}
    </div>
  );
}

/** What a cron job did last, in the place of the pods that it does not have all the time. */
function LastRun({ run, reason }: { run: Run | null; reason: string }) {
  return (
    <div>
      <div className="flex items-baseline justify-between gap-5">
        <p className="text-muted">Last run</p>
        {run ? <Status look={RUN[run.outcome]} /> : <span className="text-faint">none yet</span>}
      </div>
      {run && (
        <Facts className="mt-1">
          <Ago at={run.started_at ?? run.created_at} />
          <span>
            {run.outcome === "running" ? "for " : "took "}
            <Took startedAt={run.started_at} finishedAt={run.ended_at} />
          </span>
        </Facts>
      )}
      <p className="mt-1.5 break-words text-muted">
        <Words text={reason} />
      </p>
    </div>
  );
}

const Figure = ({ name, children }: { name: string; children: ReactNode }) => (
  <div className="flex items-baseline gap-1.5">
    <dt className="text-muted">{name}</dt>
    <dd className="text-lg font-semibold">{children}</dd>
  </div>
);

const PodsSkeleton = () => (
  <div aria-hidden>
    <BoneLine line="h-6" className="w-48" />
    <Bone className="mt-2 block! h-2! w-full rounded-full" />
    <BoneLine line="mt-1.5 h-5" className="w-24" />
  </div>
);

export const CurrentDeploySkeleton = () => (
  <div className="page-x grid gap-x-10 gap-y-4 border-t py-4 lg:grid-cols-[1fr_minmax(18rem,26rem)]">
    <div className="flex flex-col gap-1" aria-hidden>
      <BoneLine line="h-6" className="h-4! w-36" />
      <BoneLine className="w-72 max-w-full" />
      <BoneLine className="w-44" />
    </div>
    <PodsSkeleton />
  </div>
);
