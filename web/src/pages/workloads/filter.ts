import type { WorkloadSummary } from "@/api/types";

export interface Filter {
  category?: string;
  name?: string;
  type?: string;
}

/** The workloads that pass; the name also finds projects and repositories. */
export function filterWorkloads(list: WorkloadSummary[], filter: Filter): WorkloadSummary[] {
  const words = (filter.name ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  return list.filter((it) => {
    if (filter.category && it.category !== filter.category) return false;
    if (filter.type && it.workload_type !== filter.type) return false;
    const text = `${it.name} ${it.project} ${it.repository}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** The types that there are, in order, for the filter's choices. */
export const typesOf = (list: WorkloadSummary[]): string[] =>
  [...new Set(list.map((it) => it.workload_type))].sort();
