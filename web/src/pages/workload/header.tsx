import { Link } from "@tanstack/react-router";
import { Ellipsis, ExternalLink, Rocket, RotateCw, Undo2 } from "lucide-react";
import type { Workload } from "@/api/types";
import { BadMark, BadWords } from "@/components/bad-mark";
import { Button, IconButton } from "@/components/button";
import { Facts } from "@/components/facts";
import { Menu, MenuItem } from "@/components/menu";
import { BoneLine, Loading } from "@/components/skeleton";
import { HealthMark } from "@/components/status";
import { repositoryName, safeHref } from "@/lib/format";

interface Props {
  workload: Workload;
  onDeploy: () => void;
  onRollback: () => void;
  onRestart: () => void;
}

/** Name and health first; then what it is; and the two things one comes to do. */
export function WorkloadHeader({ workload, onDeploy, onRollback, onRestart }: Props) {
  const url = safeHref(workload.url);
  const repository = safeHref(workload.repository);
  return (
    <header className="page-x flex flex-wrap items-start gap-x-6 gap-y-3 pt-4 pb-4">
      <div className="min-w-0 flex-1 basis-80">
        <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
          <h1 className="min-w-0 text-xl font-semibold tracking-tight wrap-anywhere">
            {workload.name}
          </h1>
          <HealthMark health={workload.health} title={workload.health_reason} />
          {workload.bad && <BadMark bad={workload.bad} className="self-center" />}
        </div>
        <Facts className="mt-1">
          {workload.workload_type}
          {workload.category}
          <Link
            to="/projects/$project"
            params={{ project: workload.project }}
            className="link text-muted!"
          >
            project {workload.project}
          </Link>
          {`namespace ${workload.namespace}`}
          {repository ? (
            <a href={repository} target="_blank" rel="noreferrer" className="link">
              {repositoryName(workload.repository)}
            </a>
          ) : (
            repositoryName(workload.repository)
          )}
        </Facts>
        {workload.bad && <BadWords bad={workload.bad} className="mt-1" />}
      </div>
      <div className="flex gap-2 max-sm:w-full">
        {url && (
          <Button asChild className="max-sm:flex-1">
            <a href={url} target="_blank" rel="noreferrer" title={url}>
              <ExternalLink className="size-3.5" aria-hidden />
              <span>
                Open<span className="sr-only"> {workload.name} in a new window</span>
              </span>
            </a>
          </Button>
        )}
        {workload.current && (
          <Menu
            label={`More for ${workload.name}`}
            align="end"
            trigger={
              <IconButton label="More">
                <Ellipsis />
              </IconButton>
            }
          >
            <MenuItem icon={<Undo2 aria-hidden />} onSelect={onRollback}>
              Roll back…
            </MenuItem>
            <MenuItem icon={<RotateCw aria-hidden />} onSelect={onRestart}>
              Restart…
            </MenuItem>
          </Menu>
        )}
        <Button
          look="primary"
          icon={<Rocket className="size-3.5" aria-hidden />}
          shortcut="d"
          onClick={onDeploy}
          className="max-sm:flex-1"
        >
          Deploy a commit
        </Button>
      </div>
    </header>
  );
}

export function WorkloadHeaderSkeleton({ name }: { name: string }) {
  return (
    <header className="page-x pt-4 pb-4">
      <Loading what={name} />
      <h1 className="text-xl font-semibold tracking-tight wrap-anywhere">{name}</h1>
      <BoneLine line="mt-1 h-5" className="w-96 max-w-full" />
    </header>
  );
}
