import { clsx } from "clsx";
import type { Column } from "./table";

/** A cell's place and width; the same in the head, the rows and the skeleton, so that nothing jumps. */
export function cellClass<T>(column: Column<T>, first: boolean): string {
  return clsx(
    "overflow-hidden pr-4 text-left align-middle last:pr-4 md:last:pr-6",
    first && "pl-4 md:pl-6",
    column.right && "nums text-right!",
    column.className,
  );
}
