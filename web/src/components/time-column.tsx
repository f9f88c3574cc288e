import type { Column } from "./table";
import { Ago } from "./time";

interface Options<T> {
  id: string;
  header: string;
  at: (row: T) => string | null | undefined;
  /** Stands where there is no time. */
  none?: string;
  className?: string;
  sorted?: boolean;
}

/** When something was or will be, on the right of a table. */
export function timeColumn<T>({ at, none, sorted, ...column }: Options<T>): Column<T> {
  return {
    right: true,
    className: "w-30 max-md:hidden",
    ...column,
    sort: sorted ? (row) => at(row) ?? undefined : undefined,
    cell: (row) => (
      <span className="text-muted">{at(row) || !none ? <Ago at={at(row)} /> : none}</span>
    ),
  };
}
