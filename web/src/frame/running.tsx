import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { clsx } from "clsx";
import { runningQuery } from "@/api/queries";
import { Menu, MenuItem, MenuLabel } from "@/components/menu";
import { StatusIcon } from "@/components/status";
import { BUILD, deployHeadline, deployTone } from "@/lib/status";

/** What is running now, anywhere; nothing when nothing is. */
export function Running() {
  const navigate = useNavigate();
  const { deploys, builds } = useQuery(runningQuery).data;
  const count = deploys.length + builds.length;
  const waits = builds.length === 0 && deploys.every((deploy) => deployTone(deploy) === "waiting");
  if (count === 0) return null;
  return (
    <Menu
      label="Running now"
      align="end"
      trigger={
        <button
          type="button"
          className={clsx(
            "flex h-8 items-center gap-1.5 rounded-md px-2 hover:bg-hover",
            waits ? "text-waiting" : "text-progress",
          )}
        >
          <StatusIcon tone={waits ? "waiting" : "progress"} />
          <span className="nums whitespace-nowrap">
            {count} <span className="max-sm:sr-only">{waits ? "waiting" : "running"}</span>
          </span>
        </button>
      }
    >
      {deploys.length > 0 && <MenuLabel>Deploys</MenuLabel>}
      {deploys.map((deploy) => (
        <MenuItem
          key={deploy.id}
          icon={<StatusIcon tone={deployTone(deploy)} />}
          onSelect={() => navigate({ to: "/deploys/$id", params: { id: String(deploy.id) } })}
        >
          {deploy.workload} · {begin(deployHeadline(deploy))}
        </MenuItem>
      ))}
      {builds.length > 0 && <MenuLabel>Builds</MenuLabel>}
      {builds.map((build) => (
        <MenuItem
          key={build.id}
          icon={<StatusIcon tone={BUILD[build.state].tone} />}
          onSelect={() => navigate({ to: "/builds/$id", params: { id: String(build.id) } })}
        >
          {build.workload} · {BUILD[build.state].word.toLowerCase()}
        </MenuItem>
      ))}
    </Menu>
  );
}

/** A headline after a name. */
const begin = (words: string): string => words.slice(0, 1).toLowerCase() + words.slice(1);
