/** DORA's four figures in words, each with the number of cases behind it. */
import type { DeliveryPerformance, DeliveryWeek } from "@/api/types";
import { plural } from "./format";
import { duration } from "./time";

export interface Figure {
  name: string;
  /** Null where there are too few cases. */
  value: string | null;
  /** What it is made of, or how much is missing. */
  made: string;
  /** What somebody should look at. */
  trouble?: string;
}

/** "3.5 a week", or a day or a month where that is the nearer word. */
export function frequencyWords(perWeek: number): string {
  const said = (count: number) => count.toLocaleString("en", { maximumFractionDigits: 1 });
  if (perWeek >= 14) return `${said(perWeek / 7)} a day`;
  return perWeek >= 1 || perWeek === 0
    ? `${said(perWeek)} a week`
    : `${said(perWeek * 4.35)} a month`;
}

/** Pure: the four figures. */
export function figuresOf(performance: DeliveryPerformance): Figure[] {
  const { enough } = performance;
  const frequency = performance.deployment_frequency;
  const lead = performance.lead_time;
  const failures = performance.change_failure_rate;
  const restore = performance.time_to_restore;
  const few = (cases: number) => `too few to say: ${cases} of at least ${enough}`;
  return [
    {
      name: "Deployment frequency",
      value: frequency.per_week == null ? null : frequencyWords(frequency.per_week),
      made:
        frequency.per_week == null
          ? `too early to say: ${plural(frequency.deploys, "deploy")} in its first week`
          : plural(frequency.deploys, "deploy"),
    },
    {
      name: "Lead time for changes",
      value: lead.median_ms == null ? null : duration(lead.median_ms),
      made: [
        lead.median_ms == null ? few(lead.changes) : `median of ${plural(lead.changes, "commit")}`,
        lead.p90_ms == null ? null : `p90 ${duration(lead.p90_ms)}`,
        lead.unknown > 0 ? `${lead.unknown} more of unknown time` : null,
      ]
        .filter((part) => part !== null)
        .join("; "),
    },
    {
      name: "Change failure rate",
      value:
        failures.rate == null
          ? null
          : `${(failures.rate * 100).toLocaleString("en", { maximumFractionDigits: 1 })} %`,
      made:
        failures.rate == null
          ? few(failures.deploys)
          : `${failures.failed.toLocaleString("en")} of ${plural(failures.deploys, "deploy")}`,
    },
    {
      name: "Time to restore",
      value: restore.median_ms == null ? null : duration(restore.median_ms),
      made:
        restore.median_ms == null
          ? restore.incidents === 0 && restore.open === 0
            ? "nothing had to be restored"
            : few(restore.incidents)
          : `median of ${plural(restore.incidents, "time")}`,
      ...(restore.open > 0 ? { trouble: `${restore.open} not restored yet` } : {}),
    },
  ];
}

/** "Week of 23 Nov: 5 deploys, 1 went wrong, 1 rollback". */
export function weekWords(week: DeliveryWeek): string {
  const parts = [
    plural(week.deploys, "deploy"),
    week.failed > 0 ? `${week.failed} went wrong` : null,
    week.rollbacks > 0 ? plural(week.rollbacks, "rollback") : null,
  ];
  return `Week of ${weekDay(week)}: ${parts.filter((part) => part !== null).join(", ")}`;
}

/** Weeks begin on Monday in UTC, wherever one sits. */
export const weekDay = ({ begins }: Pick<DeliveryWeek, "begins">): string =>
  new Date(begins).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
