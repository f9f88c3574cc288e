/** The one table: sticky head, sort, virtual when long, keyboard up and down, Enter opens. */
import {
  createSortedRowModel,
  rowSortingFeature,
  type SortingState,
  sortFn_basic,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { clsx } from "clsx";
import { ArrowDown, ArrowUp } from "lucide-react";
import { Fragment, type ReactNode, useMemo, useRef, useState } from "react";
import { cellClass } from "./cell-class";
import { useRowKeys } from "./keys";
import { useRows } from "./rows";
import { useShownColumns } from "./shown-columns";

export interface Column<T> {
  id: string;
  header: string;
  cell: (row: T) => ReactNode;
  /** What to sort by; a column without it cannot be sorted. */
  sort?: (row: T) => string | number | undefined;
  /** Numbers stand right. */
  right?: boolean;
  /** Width, and from which width of the window it is shown: "w-32 hidden lg:table-cell". */
  className?: string;
  /** Read aloud only: for columns of buttons. */
  quiet?: boolean;
}

export interface Sort {
  id: string;
  desc: boolean;
}

interface Props<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  rowId: (row: T) => string;
  /** Where a sort is kept that has its place in the URL. */
  sort?: Sort | null;
  onSort?: (sort: Sort | null) => void;
  /** What a row opens to, under it. */
  detail?: (row: T) => ReactNode | null;
  rowClass?: (row: T) => string | undefined;
  /** Whether arrow keys work from anywhere on the page. */
  pageKeys?: boolean;
}

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { basic: sortFn_basic },
});

export function DataTable<T extends object>(props: Props<T>) {
  const { columns, rows, rowId, label, detail, rowClass, pageKeys = true } = props;
  const [ownSort, setOwnSort] = useState<Sort | null>(null);
  const sort = props.onSort ? (props.sort ?? null) : ownSort;
  const setSort = props.onSort ?? setOwnSort;

  const defs = useMemo(
    () =>
      columns.map((column) => ({
        id: column.id,
        header: column.header,
        accessorFn: (row: T) => column.sort?.(row),
        enableSorting: column.sort !== undefined,
        sortFn: "basic" as const,
        sortUndefined: "last" as const,
      })),
    [columns],
  );
  const sorting = useMemo<SortingState>(() => (sort ? [sort] : []), [sort]);
  const table = useTable({
    features,
    columns: defs,
    data: rows,
    getRowId: rowId,
    state: { sorting },
    onSortingChange: () => {},
  });
  const sorted = table.getRowModel().rows;

  const ref = useRef<HTMLTableElement>(null);
  const { items, before, after, scrollTo } = useRows(ref, sorted.length, detail === undefined);
  useRowKeys(ref, sorted.length, scrollTo, pageKeys);

  const span = useShownColumns(ref, detail !== undefined);

  return (
    <table
      ref={ref}
      aria-label={label}
      aria-rowcount={sorted.length + 1}
      className="w-full table-fixed"
    >
      <thead>
        <tr className="h-8">
          {columns.map((column, index) => (
            <Head
              key={column.id}
              column={column}
              first={index === 0}
              sort={sort}
              onSort={setSort}
            />
          ))}
        </tr>
      </thead>
      <tbody>
        {before > 0 && <Spacer height={before} />}
        {items.map((index) => {
          const row = sorted[index];
          if (row === undefined) return null;
          const opened = detail?.(row.original);
          return (
            <Fragment key={row.id}>
              <tr
                data-row={index}
                aria-rowindex={index + 2}
                onClick={openRow}
                className={clsx(
                  "group h-9 scroll-mt-9 cursor-default border-b hover:bg-hover has-[[data-row-link]:focus-visible]:bg-selected",
                  rowClass?.(row.original),
                )}
              >
                {columns.map((column, at) => (
                  <td key={column.id} className={cellClass(column, at === 0)}>
                    {column.cell(row.original)}
                  </td>
                ))}
              </tr>
              {opened && (
                <tr className="border-b">
                  <td colSpan={span} className="p-0">
                    {opened}
                  </td>
                </tr>
              )}
            </Fragment>
          );
        })}
        {after > 0 && <Spacer height={after} />}
      </tbody>
    </table>
  );
}

interface HeadProps<T> {
  column: Column<T>;
  first: boolean;
  sort: Sort | null;
  onSort: (sort: Sort | null) => void;
}

function Head<T>({ column, first, sort, onSort }: HeadProps<T>) {
  const sorted = sort?.id === column.id ? sort : null;
  const next =
    sorted === null
      ? { id: column.id, desc: false }
      : sorted.desc
        ? null
        : { id: column.id, desc: true };
  const Arrow = sorted?.desc ? ArrowDown : ArrowUp;
  return (
    <th
      scope="col"
      aria-sort={sorted === null ? undefined : sorted.desc ? "descending" : "ascending"}
      className={clsx(
        cellClass(column, first),
        "sticky top-0 z-10 bg-bg text-xs font-normal text-faint shadow-[inset_0_-1px_var(--line)]",
      )}
    >
      {column.quiet ? (
        <span className="sr-only">{column.header}</span>
      ) : column.sort ? (
        <button
          type="button"
          onClick={() => onSort(next)}
          className="inline-flex max-w-full items-center gap-1 rounded-sm hover:text-text"
        >
          <span className="truncate">{column.header}</span>
          <Arrow aria-hidden className={clsx("size-3 shrink-0", sorted === null && "hidden")} />
        </button>
      ) : (
        <span className="block truncate">{column.header}</span>
      )}
    </th>
  );
}

const Spacer = ({ height }: { height: number }) => (
  <tr aria-hidden>
    <td style={{ height }} className="p-0" />
  </tr>
);

/** A click beside the row's link follows it; a selection of text or another control does not. */
function openRow(event: React.MouseEvent<HTMLTableRowElement>) {
  const target = event.target as HTMLElement;
  if (target.closest("a, button, input, label, select")) return;
  if (window.getSelection()?.toString()) return;
  const link = event.currentTarget.querySelector<HTMLElement>("[data-row-link]");
  if (link === null) return;
  if (event.metaKey || event.ctrlKey) {
    if (link instanceof HTMLAnchorElement) window.open(link.href, "_blank", "noopener");
  } else {
    link.click();
  }
}
