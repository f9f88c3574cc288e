/** Joins streams to the cache, and tells the frame when the page is not live. */
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import {
  applyBuild,
  applyDeploy,
  applyDeployEvent,
  applyStatus,
  applyWorkload,
  forgetRunning,
  forgetWorkload,
  refreshAll,
} from "./cache";
import { streams } from "./client";
import { keys } from "./queries";
import type { ServerEvent } from "./sse";
import { openStream } from "./stream";
import type { DeployState, DeploySummary } from "./types";

const lost = new Set<string>();
const listeners = new Set<() => void>();
let signedOut: () => void = () => {};

/** What to do when the server no longer knows who asks. */
export function onSignedOut(act: () => void) {
  signedOut = act;
}

export function tellSignedOut() {
  signedOut();
}

function setLost(url: string, isLost: boolean) {
  if (lost.has(url) === isLost) return;
  if (isLost) lost.add(url);
  else lost.delete(url);
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
};

/** Whether any stream of the page is lost and being sought again. */
export const useReconnecting = (): boolean => useSyncExternalStore(subscribe, () => lost.size > 0);

/** Opens a stream for as long as the component stands; `onGap` after news may have been missed. */
function connect(
  url: string,
  handlers: Record<string, (data: unknown) => void>,
  onGap: () => void,
): () => void {
  const onEvent = (event: ServerEvent) => {
    const handle = handlers[event.event];
    if (handle === undefined) return;
    try {
      handle(JSON.parse(event.data));
    } catch {
      // One unreadable event is left out; the next read of the page has it.
    }
  };
  let wasLost = false;
  const close = openStream({
    url,
    onEvent,
    onState: (state, info) => {
      setLost(url, state === "lost");
      if (state === "live" && (wasLost || !info.resumed)) onGap();
      wasLost = state === "lost";
      if (state === "ended" && info.status === 401) signedOut();
    },
  });
  return () => {
    close();
    setLost(url, false);
  };
}

const summaries = (client: QueryClient) => ({
  workload: (data: unknown) => applyWorkload(client, data as never),
  deploy: (data: unknown) => applyDeploy(client, data as DeploySummary),
  build: (data: unknown) => applyBuild(client, data as never),
  deleted: (data: unknown) => forgetWorkload(client, (data as { name: string }).name),
});

/** Everything that changes anywhere, for the table and for what is running now. */
export function useWatchAll() {
  const client = useQueryClient();
  useEffect(() => {
    forgetRunning(client);
    return connect(streams.all(), summaries(client), () => {
      forgetRunning(client);
      refreshAll(client);
    });
  }, [client]);
}

/** One workload in full: pods, events, deploys, builds, new commits. */
export function useWatchWorkload(name: string) {
  const client = useQueryClient();
  useEffect(() => {
    const refresh = () => {
      void client.invalidateQueries({ queryKey: keys.workload(name) });
      void client.invalidateQueries({ queryKey: keys.deploysOf(name) });
    };
    const handlers = {
      ...summaries(client),
      status: (data: unknown) => applyStatus(client, name, data as never),
      commits: () => {
        void client.invalidateQueries({ queryKey: keys.commits(name) });
        void client.invalidateQueries({ queryKey: keys.branches(name) });
      },
    };
    return connect(streams.workload(name), handlers, refresh);
  }, [client, name]);
}

/** One deploy's timeline. */
export function useWatchDeploy(id: number, active: boolean) {
  const client = useQueryClient();
  useEffect(() => {
    if (!active) return;
    const refresh = () => void client.invalidateQueries({ queryKey: keys.deploy(id) });
    let before: DeployState | null = null;
    const handlers = {
      event: (data: unknown) => applyDeployEvent(client, id, data as never),
      deploy: (data: unknown) => {
        const deploy = data as DeploySummary;
        applyDeploy(client, deploy);
        // Its way, its build, its images and the cause stand only in the deploy itself; a canary
        // goes from step to step in one state.
        if (deploy.state !== before || deploy.state === "canary") refresh();
        before = deploy.state;
      },
    };
    const close = connect(streams.deploy(id), handlers, refresh);
    return () => {
      close();
      // The stream of everything may have told of the end first.
      refresh();
    };
  }, [client, id, active]);
}
