import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { clsx } from "clsx";
import { type ReactNode, useState } from "react";
import { isMissing } from "@/api/problem";
import { projectDeliveryQuery, workloadDeliveryQuery } from "@/api/queries";
import type { DeliveryPerformance, DeliveryWeek } from "@/api/types";
import { Pick } from "@/components/field";
import { ProblemView } from "@/components/problem";
import { Bone, Loading } from "@/components/skeleton";
import { figuresOf, weekDay, weekWords } from "@/lib/delivery";
import { exact } from "@/lib/time";

const SPANS = [
  { value: "30", label: "Last 30 days" },
  { value: "90", label: "Last 90 days" },
  { value: "365", label: "Last year" },
];

/** How well delivery of one workload goes. */
export function WorkloadDelivery({ name }: { name: string }) {
  const [days, setDays] = useState("30");
  const query = useQuery(workloadDeliveryQuery(name, Number(days)));
  return <DeliveryPanel query={query} days={days} onDays={setDays} />;
}

/** How well delivery of all workloads of a project goes. */
export function ProjectDelivery({ project }: { project: string }) {
  const [days, setDays] = useState("30");
  const query = useQuery(projectDeliveryQuery(project, Number(days)));
  return <DeliveryPanel query={query} days={days} onDays={setDays} />;
}

interface PanelProps {
  query: UseQueryResult<DeliveryPerformance>;
  days: string;
  onDays: (days: string) => void;
}

function DeliveryPanel({ query: { data, error, refetch }, days, onDays }: PanelProps) {
  // A server that is older than this page has no figures.
  if (isMissing(error)) return null;
  return (
    <section aria-label="Delivery" className="page-x border-t py-3">
      <div className="flex items-center justify-between gap-3">
        <h2 className="font-medium">Delivery</h2>
        <Pick
          label="Span of time"
          value={days}
          options={SPANS}
          onChange={onDays}
          className="w-36"
        />
      </div>
      {error && !data && (
        <ProblemView error={error} onRetry={() => refetch()} className="pt-2 pb-3" />
      )}
      {!data && !error && <PanelSkeleton />}
      {data && <DeliveryView performance={data} />}
    </section>
  );
}

const GRID =
  "mt-2 grid grid-cols-2 gap-x-6 gap-y-4 lg:grid-cols-[repeat(4,1fr)_minmax(12rem,18rem)]";

/** The four figures, and the deploys of each week. */
export function DeliveryView({ performance }: { performance: DeliveryPerformance }) {
  return (
    <>
      <dl className={GRID}>
        {figuresOf(performance).map((figure) => (
          <div key={figure.name} className="min-w-0">
            <dt className="text-muted">{figure.name}</dt>
            <dd>
              <span
                className={clsx(
                  "nums block text-lg font-semibold",
                  figure.value === null && "text-faint",
                )}
              >
                {figure.value ?? "–"}
              </span>
              <span className="nums block text-xs text-muted first-letter:uppercase">
                {figure.made}
              </span>
              {figure.trouble && (
                <span className="nums block text-xs text-failed">{figure.trouble}</span>
              )}
            </dd>
          </div>
        ))}
        <Part name="Deploys by week">
          <Weeks weeks={performance.weeks} />
        </Part>
      </dl>
      {!performance.complete && (
        <p className="mt-2 text-xs text-muted">
          Only the deploys since {exact(performance.since)} were looked at: there are very many.
        </p>
      )}
    </>
  );
}

const Part = ({ name, children }: { name: string; children: ReactNode }) => (
  <div className="col-span-2 min-w-0 lg:col-span-1">
    <dt className="text-muted">{name}</dt>
    <dd>{children}</dd>
  </div>
);

/** For each week what went out, and beside it what went wrong. */
function Weeks({ weeks }: { weeks: DeliveryWeek[] }) {
  const most = Math.max(0, ...weeks.flatMap((week) => [week.deploys, week.failed]));
  const [first, last] = [weeks[0], weeks.at(-1)];
  if (most === 0 || !first || !last) return <p className="mt-1 text-faint">No deploys</p>;
  const height = (count: number) => `${(count / most) * 100}%`;
  return (
    <>
      <ol className="mt-1.5 flex h-10 items-end gap-px border-b border-line-strong">
        {weeks.map((week) => (
          <li
            key={week.begins}
            title={weekWords(week)}
            className="flex h-full min-w-0 flex-1 items-end justify-center"
          >
            <span className="sr-only">{weekWords(week)}</span>
            <Column height={height(week.deploys)} className="bg-ok-fill" />
            <Column height={height(week.failed)} className="bg-failed-fill" />
          </li>
        ))}
      </ol>
      <p className="nums mt-0.5 flex justify-between gap-2 text-xs text-faint">
        <span>
          {weekDay(first)}
          {first !== last && ` – ${weekDay(last)}`}
        </span>
        <span className="flex gap-3">
          <Key className="bg-ok-fill">went out</Key>
          <Key className="bg-failed-fill">went wrong</Key>
        </span>
      </p>
    </>
  );
}

const Column = ({ height, className }: { height: string; className: string }) => (
  <span aria-hidden style={{ height }} className={clsx("max-w-3 flex-1", className)} />
);

const Key = ({ className, children }: { className: string; children: ReactNode }) => (
  <span className="flex items-center gap-1">
    <span aria-hidden className={clsx("size-2", className)} />
    {children}
  </span>
);

const PanelSkeleton = () => (
  <div className={GRID}>
    <Loading what="the figures of delivery" />
    {["a", "b", "c", "d"].map((key) => (
      <div key={key} className="flex h-15 flex-col justify-center gap-2">
        <Bone className="w-3/4" />
        <Bone className="w-1/2" />
      </div>
    ))}
  </div>
);
