import { clsx } from "clsx";
import { ChevronRight } from "lucide-react";
import type { PodStatus } from "@/api/types";
import { Status } from "@/components/status";
import type { Column } from "@/components/table";
import { useNow } from "@/lib/clock";
import { isPodFailing } from "@/lib/rollout";
import type { Look } from "@/lib/status";
import { age, exact } from "@/lib/time";

/** A pod's own word, in one of the five colours. */
export function podLook(pod: PodStatus): Look {
  const word = pod.status || "Unknown";
  if (isPodFailing(pod)) return { tone: "failed", word };
  if (pod.ready) return { tone: pod.status === "Terminating" ? "unknown" : "ok", word };
  if (pod.status === "Pending") return { tone: "waiting", word };
  if (pod.status === "Terminating" || pod.status === "Completed" || pod.status === "Succeeded") {
    return { tone: "unknown", word };
  }
  return { tone: "progress", word: pod.status === "Running" ? "Running, not ready" : word };
}

export function podColumns(
  open: ReadonlySet<string>,
  toggle: (pod: string) => void,
): Column<PodStatus>[] {
  return [
    {
      id: "name",
      header: "Pod name",
      sort: (pod) => pod.name,
      cell: (pod) => (
        <button
          type="button"
          data-row-link
          aria-expanded={open.has(pod.name)}
          onClick={() => toggle(pod.name)}
          className="link flex max-w-full items-center gap-1 text-left"
          title={pod.name}
        >
          <ChevronRight
            aria-hidden
            className={clsx(
              "-ml-1 size-3.5 shrink-0 text-faint transition-transform",
              open.has(pod.name) && "rotate-90",
            )}
          />
          <PodName name={pod.name} />
          {!pod.updated && <span className="shrink-0 text-xs text-faint">old</span>}
        </button>
      ),
    },
    {
      id: "status",
      header: "Status",
      className: "w-40 sm:w-52",
      sort: (pod) => pod.status,
      cell: (pod) => (
        <span className="block truncate" title={pod.message ?? undefined}>
          <Status look={podLook(pod)} />
        </span>
      ),
    },
    {
      id: "started",
      header: "Start time",
      className: "w-44 max-xl:hidden",
      sort: (pod) => (pod.started_at ? Date.parse(pod.started_at) : undefined),
      cell: (pod) =>
        pod.started_at ? (
          <time dateTime={pod.started_at} title={exact(pod.started_at)} className="nums text-muted">
            {new Date(pod.started_at).toLocaleString("en-GB", {
              dateStyle: "medium",
              timeStyle: "medium",
            })}
          </time>
        ) : (
          <span className="text-faint">Not yet</span>
        ),
    },
    {
      id: "containers",
      header: "Containers",
      right: true,
      className: "w-24 max-md:hidden",
      cell: (pod) => {
        const own = pod.containers.filter((it) => !it.init);
        return (
          <span title="Ready of all">
            {own.filter((it) => it.ready).length}
            <span className="text-faint"> / {own.length}</span>
          </span>
        );
      },
    },
    {
      id: "restarts",
      header: "Restarts",
      right: true,
      className: "w-20 max-sm:hidden",
      sort: (pod) => pod.restarts,
      cell: (pod) => (
        <span className={pod.restarts > 0 ? "font-medium text-waiting" : "text-faint"}>
          {pod.restarts}
        </span>
      ),
    },
    {
      id: "age",
      header: "Age",
      right: true,
      className: "w-14 sm:w-16",
      sort: (pod) => (pod.started_at ? -Date.parse(pod.started_at) : undefined),
      cell: (pod) => <Age at={pod.started_at} />,
    },
    {
      id: "node",
      header: "Node",
      className: "w-43 pl-3 max-lg:hidden",
      sort: (pod) => pod.node ?? undefined,
      cell: (pod) => (
        <span className="block truncate text-muted" title={pod.node ?? undefined}>
          {pod.node ?? "None yet"}
        </span>
      ),
    },
  ];
}

/** The end of a pod's name tells it from its siblings, so a long one is cut before it. */
function PodName({ name }: { name: string }) {
  const cut = Math.max(name.lastIndexOf("-"), name.length - 17, 0);
  return (
    <span className="flex min-w-0 font-mono text-xs">
      <span className="truncate">{name.slice(0, cut)}</span>
      <span className="shrink-0">{name.slice(cut)}</span>
    </span>
  );
}

function Age({ at }: { at: string | null | undefined }) {
  const now = useNow();
  return <span className="text-muted">{at ? age(at, now) : "–"}</span>;
}
