import { Link } from "@tanstack/react-router";
import type { DeploySummary } from "@/api/types";
import { heldNow } from "@/lib/held";
import { HOLDING, isDeployActive, KIND } from "@/lib/status";
import { CommitLine } from "./commit";
import { DeployStatus } from "./status";
import type { Column } from "./table";
import { Ago, Took } from "./time";
import { timeColumn } from "./time-column";

/** A deploy as every list shows it: state, what, who, when, how long. */
export function deployColumns(withWorkload: boolean): Column<DeploySummary>[] {
  const columns: (Column<DeploySummary> | null)[] = [
    {
      id: "deploy",
      header: "Deploy",
      className: withWorkload ? "w-[28%] max-sm:w-auto" : "w-18 md:w-24",
      cell: (it) => (
        <span className="block leading-4">
          <Link
            to="/deploys/$id"
            params={{ id: String(it.id) }}
            data-row-link
            className="link flex min-w-0 gap-1.5"
          >
            {withWorkload && (
              <span className="truncate font-medium" title={it.workload}>
                {it.workload}
              </span>
            )}
            <span className={withWorkload ? "nums text-faint" : "nums"}>#{it.id}</span>
          </Link>
          {withWorkload && <Narrow deploy={it} />}
        </span>
      ),
    },
    {
      id: "state",
      header: "State",
      className: "w-36",
      cell: (it) => (
        <span title={it.message} className="block leading-4">
          {it.state === "failed" ? (
            <Link
              to="/deploys/$id/receipt"
              params={{ id: String(it.id) }}
              title={`See the receipt: ${it.message}`}
              className="link"
            >
              <DeployStatus state={it.state} />
            </Link>
          ) : (
            <DeployStatus state={it.state} />
          )}
          <Under deploy={it} />
        </span>
      ),
    },
    {
      id: "commit",
      header: "Commit",
      className: withWorkload ? "max-sm:hidden" : undefined,
      cell: (it) => (
        <span className="block leading-4">
          <CommitLine commit={it.commit} title={it.title} />
          {!withWorkload && <Narrow deploy={it} />}
        </span>
      ),
    },
    withWorkload
      ? null
      : {
          id: "reason",
          header: "Reason",
          className: "w-[22%] max-lg:hidden",
          cell: (it) => (
            <span className="block truncate text-muted" title={it.reason ?? undefined}>
              {it.reason}
            </span>
          ),
        },
    {
      id: "by",
      header: "By",
      className: "w-32 max-md:hidden",
      cell: (it) => (
        <span className="block truncate text-muted" title={it.requested_by}>
          {it.requested_by}
        </span>
      ),
    },
    {
      id: "took",
      header: "Took",
      right: true,
      className: "w-28 max-lg:hidden",
      cell: (it) => (
        <span className="text-muted">
          {it.finished_at || isDeployActive(it.state) ? (
            <Took startedAt={it.created_at} finishedAt={it.finished_at} />
          ) : (
            "–"
          )}
        </span>
      ),
    },
    timeColumn({ id: "when", header: "When", at: (it) => it.created_at }),
  ];
  return columns.filter((column) => column !== null);
}

/** On a phone, what the columns say that have no place there. */
const Narrow = ({ deploy }: { deploy: DeploySummary }) => (
  <span className="block truncate text-xs text-muted md:hidden">
    <Ago at={deploy.created_at} /> by {deploy.requested_by}
  </span>
);

/** Under the state: the kind where it is not the usual one, and what holds it. */
function Under({ deploy }: { deploy: DeploySummary }) {
  const held = heldNow(deploy);
  if (held) {
    return (
      <span className="block truncate text-xs text-waiting" title={held.message}>
        {HOLDING[held.rule]}
      </span>
    );
  }
  if (deploy.pull_request != null) {
    return (
      <Link
        to="/workloads/$name/pull-requests/$number"
        params={{ name: deploy.workload, number: String(deploy.pull_request) }}
        className="link block text-xs text-muted!"
      >
        Pull request {deploy.pull_request}
      </Link>
    );
  }
  if (deploy.kind === "regular") return null;
  return <span className="block text-xs text-muted">{KIND[deploy.kind]}</span>;
}
