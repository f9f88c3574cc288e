import { Link } from "@tanstack/react-router";
import type { DeploySummary } from "@/api/types";
import { Button } from "@/components/button";
import type { Column } from "@/components/table";
import { pairOf, picksWords } from "@/lib/picks";

/** Before each deploy, whether it is one of the two. */
export const pickColumn = (
  picks: readonly number[],
  onPick: (id: number) => void,
): Column<DeploySummary> => ({
  id: "pick",
  header: "Compare",
  quiet: true,
  className: "w-10 pr-0! md:w-12",
  cell: (it) => (
    <label className="flex h-9 items-center">
      <span className="sr-only">Compare deploy {it.id}</span>
      <input
        type="checkbox"
        checked={picks.includes(it.id)}
        onChange={() => onPick(it.id)}
        className="size-4 shrink-0 accent-accent"
      />
    </label>
  ),
});

interface Props {
  picks: readonly number[];
  onClose: () => void;
}

/** Which two are chosen, and the way to what lies between them. */
export function CompareBar({ picks, onClose }: Props) {
  const pair = pairOf(picks);
  return (
    <section
      aria-label="Compare two deploys"
      className="page-x sticky bottom-0 z-10 flex flex-wrap items-center gap-2 border-t bg-rail py-2"
    >
      <p role="status" className="nums mr-auto min-w-0">
        {picksWords(picks)}
      </p>
      <Button look="quiet" onClick={onClose}>
        Cancel
      </Button>
      {pair === null ? (
        <Button look="primary" disabled>
          Compare
        </Button>
      ) : (
        <Button asChild look="primary">
          <Link
            to="/deploys/$id/compare/$other"
            params={{ id: String(pair.from), other: String(pair.to) }}
          >
            Compare #{pair.from} with #{pair.to}
          </Link>
        </Button>
      )}
    </section>
  );
}
