import type { PodStatus } from "@/api/types";

interface Choice {
  value: string;
  label: string;
}

/** What the two pickers of the log offer; a pod that is gone stays while it is picked. */
export function logChoices(pods: PodStatus[], pod: string, container: string) {
  const names = pods.map((it) => it.name);
  const podChoices: Choice[] = [
    { value: "", label: names.length === 1 ? "All pods (1)" : `All pods (${names.length})` },
    ...(pod !== "" && !names.includes(pod) ? [{ value: pod, label: `${pod} (gone)` }] : []),
    ...names.map((name) => ({ value: name, label: name })),
  ];
  const chosen = pod === "" ? pods : pods.filter((it) => it.name === pod);
  const containers = new Set(chosen.flatMap((it) => it.containers.map((one) => one.name)));
  if (container !== "") containers.add(container);
  const restarted = chosen.some((it) =>
    it.containers.some((one) => one.restarts > 0 && (container === "" || one.name === container)),
  );
  return {
    pods: podChoices,
    containers: [
      { value: "", label: "All containers" },
      ...[...containers].map((name) => ({ value: name, label: name })),
    ],
    restarted,
  };
}
