import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { refreshAll } from "./cache";

/**
 * What a dialog asks for: the change, then what rests on it, then the dialog closes. Without `after`
 * everything is read anew, for what may matter to any workload.
 */
export function useChange<T>(
  onClose: () => void,
  change: () => Promise<T>,
  after: (client: QueryClient, answer: T) => void = refreshAll,
) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: (answer) => {
      after(client, answer);
      onClose();
    },
  });
}
