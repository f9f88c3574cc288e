import { Link } from "@tanstack/react-router";
import type { ContainerStatus, PodStatus } from "@/api/types";
import { Status } from "@/components/status";
import { Words } from "@/components/words";
import { shortDigest, splitReference } from "@/lib/format";
import type { Look } from "@/lib/status";

function containerLook(it: ContainerStatus): Look {
  const word = it.reason || it.state.slice(0, 1).toUpperCase() + it.state.slice(1);
  if (it.state === "running") {
    return it.ready || it.init
      ? { tone: "ok", word: "Running" }
      : { tone: "progress", word: "Running, not ready" };
  }
  if (it.state === "terminated") {
    const done = it.exit_code === 0;
    return done ? { tone: "ok", word: "Completed" } : { tone: "failed", word };
  }
  const starting = ["ContainerCreating", "PodInitializing", ""].includes(it.reason ?? "");
  return starting ? { tone: "progress", word: word || "Waiting" } : { tone: "failed", word };
}

/** What a pod's row opens to: its containers, each with its log. */
export function Containers({ workload, pod }: { workload: string; pod: PodStatus }) {
  return (
    <div className="bg-rail py-2 pr-4 pl-4 md:pr-6 md:pl-9">
      {pod.message && (
        <p className="pb-2 break-words text-failed">
          <Words text={pod.message} />
        </p>
      )}
      <ul className="flex flex-col gap-2.5">
        {pod.containers.map((it) => (
          <li key={it.name} className="flex flex-wrap items-center gap-x-4 gap-y-0.5">
            <span className="min-w-40 font-mono text-xs wrap-anywhere">
              {it.name}
              {it.init && <span className="font-sans text-faint"> init</span>}
            </span>
            <span className="min-w-36">
              <Status look={containerLook(it)} />
            </span>
            <span className="nums text-muted">
              {it.restarts === 1 ? "1 restart" : `${it.restarts} restarts`}
              {it.exit_code != null && it.exit_code !== 0 && `, last exit code ${it.exit_code}`}
            </span>
            <Image reference={it.image} />
            <span className="ml-auto flex gap-3">
              <LogLink workload={workload} pod={pod.name} container={it.name} />
              {it.restarts > 0 && (
                <LogLink workload={workload} pod={pod.name} container={it.name} previous />
              )}
            </span>
            {it.message && <p className="basis-full break-words text-muted">{it.message}</p>}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Image({ reference }: { reference: string }) {
  const { repository, digest } = splitReference(reference);
  return (
    <code title={reference} className="min-w-0 font-mono text-xs wrap-anywhere text-muted">
      {repository}
      {digest && <span className="text-faint">@{shortDigest(digest)}</span>}
    </code>
  );
}

interface LogLinkProps {
  workload: string;
  pod: string;
  container: string;
  previous?: boolean;
}

function LogLink({ workload, pod, container, previous }: LogLinkProps) {
  return (
    <Link
      to="/workloads/$name/logs"
      params={{ name: workload }}
      search={{ pod, container, previous: previous || undefined }}
      className="link-accent whitespace-nowrap"
    >
      {previous ? "Log before the restart" : "Log"}
      <span className="sr-only"> of {container}</span>
    </Link>
  );
}
