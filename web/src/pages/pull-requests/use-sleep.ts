import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { Preview, PullRequest } from "@/api/types";
import { toastProblem } from "@/components/toast";

/** Puts what the server says of a preview into the page, and reads the list anew. */
export function usePutPreview(name: string, number: number) {
  const client = useQueryClient();
  return (change: Partial<Preview>) => {
    client.setQueryData<PullRequest>([...keys.pulls(name), number], (it) =>
      it?.preview ? { ...it, preview: { ...it.preview, ...change } } : it,
    );
    void client.invalidateQueries({ queryKey: keys.pulls(name) });
  };
}

/** Lets a preview sleep, or wakes it. */
export function useSleep(name: string, number: number) {
  const put = usePutPreview(name, number);
  return useMutation({
    mutationFn: (asleep: boolean) =>
      asleep ? api.sleepPreview(name, number) : api.wakePreview(name, number),
    onSuccess: put,
    onError: (error, asleep) => toastProblem(asleep ? "It stays awake" : "It sleeps on", error),
  });
}
