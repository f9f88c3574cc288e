import { clsx } from "clsx";
import { Ban } from "lucide-react";
import type { BadArtifact } from "@/api/types";
import { failedBehind } from "@/lib/status";
import { Ago } from "./time";

/** Who marked it, when and why. */
export function BadWords({ bad, className }: { bad: BadArtifact; className?: string }) {
  return (
    <p className={clsx("max-w-prose break-words text-failed", className)}>
      Marked as bad by {bad.by} <Ago at={bad.at} />
      {why(bad)}
    </p>
  );
}

/** That what runs is not to be deployed again; why, on hover and to screen readers. */
export function BadMark({ bad, className }: { bad: BadArtifact; className?: string }) {
  const words = `By ${bad.by}${why(bad)}`;
  return (
    <span
      title={words}
      className={clsx(
        "inline-flex shrink-0 items-center gap-1 whitespace-nowrap text-xs text-failed",
        className,
      )}
    >
      <Ban className="size-3.5" aria-hidden />
      Marked bad<span className="sr-only">. {words}</span>
    </span>
  );
}

/** The failure that an automatic rollback names stands in full on its deploy's page. */
const why = ({ workload, deploy_id, reason }: BadArtifact): string =>
  failedBehind(reason) === deploy_id
    ? `, with the automatic rollback of ${workload} from deploy ${deploy_id}`
    : `, when ${workload} was rolled back from deploy ${deploy_id}: ${reason}`;
