import { clsx } from "clsx";
import { Bone, Loading } from "../skeleton";
import { cellClass } from "./cell-class";
import type { Column } from "./table";

const WIDTHS = ["w-3/5", "w-2/5", "w-1/2", "w-2/3"];

/** A table in the shape of the one that comes: same columns, same heights. */
export function TableSkeleton<T>({
  columns,
  what,
  rows = 8,
}: {
  columns: Column<T>[];
  what: string;
  rows?: number;
}) {
  return (
    <>
      <Loading what={what} />
      <table className="w-full table-fixed" aria-hidden>
        <thead>
          <tr className="h-8 shadow-[inset_0_-1px_var(--line)]">
            {columns.map((column, at) => (
              <td
                key={column.id}
                className={clsx(cellClass(column, at === 0), "text-xs text-faint")}
              >
                {column.quiet ? "" : column.header}
              </td>
            ))}
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: rows }, (_, row) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows without content have no other key
            <tr key={row} className="h-9 border-b">
              {columns.map((column, at) => (
                <td key={column.id} className={cellClass(column, at === 0)}>
                  {!column.quiet && <Bone className={WIDTHS[(row + at) % WIDTHS.length]} />}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
