/** How well delivery goes, as the API says it. A figure is null where too few cases are behind it. */

export interface DeliveryPerformance {
  since: string;
  until: string;
  /** Fewest cases that a figure is made of. */
  enough: number;
  /** Whether all deploys of the span were looked at. */
  complete: boolean;
  deployment_frequency: { deploys: number; per_week?: number | null };
  lead_time: {
    changes: number;
    /** Commits whose time is not known. */
    unknown: number;
    median_ms?: number | null;
    p90_ms?: number | null;
  };
  change_failure_rate: { deploys: number; failed: number; rate?: number | null };
  time_to_restore: {
    incidents: number;
    /** Workloads in which no good version runs yet. */
    open: number;
    median_ms?: number | null;
  };
  /** Oldest first; the first and the last may be cut short. */
  weeks: DeliveryWeek[];
}

export interface DeliveryWeek {
  /** Its Monday, at midnight in UTC. */
  begins: string;
  deploys: number;
  failed: number;
  rollbacks: number;
}
