/**
 * Proposing a revert: it takes seconds, and goes on when the page that asked for it is left. That is
 * why its state stands in the client's cache, where every page that shows that rollback finds it.
 */
import { type QueryClient, useMutationState, useQueryClient } from "@tanstack/react-query";
import { api } from "./client";
import { keys } from "./queries";
import type { Deploy, Receipt, Revert } from "./types";

/** Asks for the pull request that takes back what this rollback left. */
export async function proposeRevert(client: QueryClient, rollback: number): Promise<void> {
  const asked = client.getMutationCache().build<Revert, Error, void, unknown>(client, {
    mutationKey: keys.revert(rollback),
    mutationFn: () => api.proposeRevert(rollback),
    onSuccess: (revert) => applyRevert(client, rollback, revert),
  });
  // What was refused is told where the rollback is shown.
  await asked.execute().catch(() => {});
}

/** Puts it wherever that rollback, or what it left, was read. */
export function applyRevert(client: QueryClient, rollback: number, revert: Revert) {
  client.setQueryData<Deploy>(keys.deploy(rollback), (it) => it && { ...it, revert });
  client.setQueryData<Receipt>(
    keys.receipt(revert.left_deploy),
    (it) => it && { ...it, revert, rolled_back_by: rollback },
  );
}

/** The pull request that a rollback has, or how asking for it goes. */
export function useRevert(rollback: number) {
  const client = useQueryClient();
  const asked = useMutationState({
    filters: { mutationKey: keys.revert(rollback), exact: true },
    select: ({ state }) => ({
      isPending: state.status === "pending",
      error: state.error,
      revert: state.data as Revert | undefined,
    }),
  }).at(-1);
  return {
    isPending: asked?.isPending ?? false,
    error: asked?.error ?? null,
    revert: asked?.revert,
    propose: () => void proposeRevert(client, rollback),
  };
}
