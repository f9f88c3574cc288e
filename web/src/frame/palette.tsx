import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { Dialog as Radix } from "radix-ui";
import { useState } from "react";
import { workloadsQuery } from "@/api/queries";
import type { WorkloadSummary } from "@/api/types";
import { useFocusReturn } from "@/components/focus-return";
import { Kbd } from "@/components/kbd";
import { HealthDot } from "@/components/status";
import { HEALTH } from "@/lib/status";
import { type Action, type ActionGroup, useAllActions } from "./actions";

const GROUPS: ActionGroup[] = ["This page", "Create", "Go to", "Theme", "You"];
const MOST_WORKLOADS = 8;
const MOST_PROJECTS = 4;

/** Search and every action, from the keyboard. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const returnFocus = useFocusReturn();
  return (
    <Radix.Root open onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <div className="fixed inset-0 z-40 bg-scrim" aria-hidden />
        <Radix.Content
          aria-describedby={undefined}
          onCloseAutoFocus={returnFocus}
          className="appear fixed inset-x-3 top-[8vh] z-50 mx-auto max-w-xl overflow-hidden rounded-xl bg-panel shadow-float outline-none"
        >
          <Radix.Title className="sr-only">Search or do anything</Radix.Title>
          <PaletteBody onClose={onClose} />
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function PaletteBody({ onClose }: { onClose: () => void }) {
  const [search, setSearch] = useState("");
  const actions = useAllActions();
  const navigate = useNavigate();
  const { data: workloads = [] } = useQuery(workloadsQuery);
  const wanted = search.trim().toLowerCase();
  const found = workloads
    .filter((workload) => workload.name.includes(wanted))
    .sort((a, b) => Number(b.name.startsWith(wanted)) - Number(a.name.startsWith(wanted)))
    .slice(0, MOST_WORKLOADS);
  const projects = wanted === "" ? [] : projectsOf(workloads, wanted);
  const groups = GROUPS.map((group) => ({
    group,
    items: actions.filter((action) => action.group === group && matches(action, wanted)),
  })).filter(({ items }) => items.length > 0);

  const first = wanted !== "" && found[0] ? paletteId(found[0].name) : groups[0]?.items[0]?.id;
  const [picked, setPicked] = useState<string | null>(null);

  const run = (act: () => void) => {
    onClose();
    // The dialog gives the focus back first, so that what opens next can take it.
    setTimeout(act);
  };

  return (
    <Command
      shouldFilter={false}
      loop
      label="Search or do anything"
      value={picked ?? first ?? ""}
      onValueChange={setPicked}
    >
      <Command.Input
        value={search}
        onValueChange={(next) => {
          setSearch(next);
          setPicked(null);
        }}
        placeholder="Search workloads, or type what to do"
        className="h-12 w-full border-b bg-transparent px-4 text-base outline-none"
      />
      <Command.List className="max-h-[min(60vh,26rem)] overflow-y-auto p-1.5">
        <Command.Empty className="px-3 py-6 text-center text-muted">
          Nothing is called “{search}”.
        </Command.Empty>
        {wanted !== "" && found.length > 0 && (
          <Group heading="Workloads">
            {found.map((workload) => (
              <Item
                key={workload.name}
                value={paletteId(workload.name)}
                onSelect={() =>
                  run(() => navigate({ to: "/workloads/$name", params: { name: workload.name } }))
                }
              >
                <HealthDot health={workload.health} />
                <span className="min-w-0 flex-1 truncate">{workload.name}</span>
                <span className="text-xs text-faint">{HEALTH[workload.health].word}</span>
              </Item>
            ))}
          </Group>
        )}
        {projects.length > 0 && (
          <Group heading="Projects">
            {projects.map((project) => (
              <Item
                key={project}
                value={`project ${project}`}
                onSelect={() =>
                  run(() => navigate({ to: "/projects/$project", params: { project } }))
                }
              >
                <span className="min-w-0 flex-1 truncate">Project {project}</span>
              </Item>
            ))}
          </Group>
        )}
        {groups.map(({ group, items }) => (
          <Group key={group} heading={group}>
            {items.map((action) => (
              <Item key={action.id} value={action.id} onSelect={() => run(action.run)}>
                <span className="min-w-0 flex-1 truncate">{action.label}</span>
                {action.shortcut && <Kbd keys={action.shortcut} />}
              </Item>
            ))}
          </Group>
        ))}
        {wanted === "" && found.length > 0 && (
          <Group heading="Workloads">
            {found.map((workload) => (
              <Item
                key={workload.name}
                value={paletteId(workload.name)}
                onSelect={() =>
                  run(() => navigate({ to: "/workloads/$name", params: { name: workload.name } }))
                }
              >
                <HealthDot health={workload.health} />
                <span className="min-w-0 flex-1 truncate">{workload.name}</span>
              </Item>
            ))}
          </Group>
        )}
      </Command.List>
    </Command>
  );
}

/** Projects whose names hold what is wanted; "project" finds them all. */
const projectsOf = (workloads: WorkloadSummary[], wanted: string): string[] =>
  [...new Set(workloads.map((workload) => workload.project))]
    .filter((project) => `project ${project}`.toLowerCase().includes(wanted))
    .sort()
    .slice(0, MOST_PROJECTS);

const paletteId = (workload: string) => `workload ${workload}`;

function matches(action: Action, wanted: string): boolean {
  if (wanted === "") return true;
  const words = `${action.label} ${action.keywords ?? ""}`.toLowerCase();
  return wanted.split(/\s+/).every((word) => words.includes(word));
}

function Group({ heading, children }: { heading: string; children: React.ReactNode }) {
  return (
    <Command.Group
      heading={heading}
      className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-faint"
    >
      {children}
    </Command.Group>
  );
}

interface ItemProps {
  value: string;
  onSelect: () => void;
  children: React.ReactNode;
}

function Item({ value, onSelect, children }: ItemProps) {
  return (
    <Command.Item
      value={value}
      onSelect={onSelect}
      className="flex h-9 cursor-default items-center gap-2.5 rounded-md px-2.5 data-[selected=true]:bg-hover"
    >
      {children}
    </Command.Item>
  );
}
