import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { buildsQuery, deploysQuery } from "@/api/queries";
import type { BuildSummary, DeploySummary } from "@/api/types";
import { Menu, MenuItem, MenuLabel } from "@/components/menu";
import { StatusIcon } from "@/components/status";
import { BUILD, DEPLOY, isBuildActive, isDeployActive } from "@/lib/status";

/** What is running now, anywhere; nothing when nothing is. */
export function Running() {
  const navigate = useNavigate();
  const { deploys, builds } = useRunning();
  const count = deploys.length + builds.length;
  if (count === 0) return null;
  return (
    <Menu
      label="Running now"
      align="end"
      trigger={
        <button
          type="button"
          className="flex h-8 items-center gap-1.5 rounded-md px-2 text-progress hover:bg-hover"
        >
          <StatusIcon tone="progress" />
          <span className="nums whitespace-nowrap">
            {count} <span className="max-sm:sr-only">running</span>
          </span>
        </button>
      }
    >
      {deploys.length > 0 && <MenuLabel>Deploys</MenuLabel>}
      {deploys.map((deploy) => (
        <MenuItem
          key={deploy.id}
          icon={<StatusIcon tone={DEPLOY[deploy.state].tone} />}
          onSelect={() => navigate({ to: "/deploys/$id", params: { id: String(deploy.id) } })}
        >
          {deploy.workload} · {DEPLOY[deploy.state].word.toLowerCase()}
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

/** The newest page of each list is enough: what runs was asked for lately. */
function useRunning(): { deploys: DeploySummary[]; builds: BuildSummary[] } {
  const deploys = useInfiniteQuery(deploysQuery(null)).data?.pages[0]?.items ?? [];
  const builds = useInfiniteQuery(buildsQuery(null)).data?.pages[0]?.items ?? [];
  return {
    deploys: deploys.filter((deploy) => isDeployActive(deploy.state)),
    builds: builds.filter((build) => isBuildActive(build.state)),
  };
}
