import { clsx } from "clsx";
import { type ReactNode, useState } from "react";
import { Button } from "./button";

/** A row of a dialog's list, as it is written; the number tells it from the others. */
export type Row<T> = T & { id: number };

/** Rows that are written, added and removed. */
export function useFormRows<T extends object>(initial: () => T[]) {
  const [rows, setRows] = useState<Row<T>[]>(() => initial().map((row, id) => ({ ...row, id })));
  return {
    rows,
    change: (id: number, part: Partial<T>) =>
      setRows(rows.map((row) => (row.id === id ? { ...row, ...part } : row))),
    add: (row: T) =>
      setRows([...rows, { ...row, id: Math.max(-1, ...rows.map((it) => it.id)) + 1 }]),
    remove: (id: number) => setRows(rows.filter((row) => row.id !== id)),
  };
}

interface RowProps {
  /** Read aloud where the row begins: "Wave 2". */
  name: string;
  onRemove: () => void;
  children: ReactNode;
  /** Fields above the line that ends with the button, where one line is too short. */
  above?: ReactNode;
}

/** Fields of one row, on a line that ends with the button that takes the row away. */
export function RowFields({ name, onRemove, children, above }: RowProps) {
  return (
    <fieldset className={clsx("min-w-0", above && "border-t pt-3")}>
      <legend className="sr-only">{name}</legend>
      {above && <div className="mb-3 flex flex-col gap-3">{above}</div>}
      <div className="flex flex-wrap items-end gap-3">
        {children}
        <Button look="danger" onClick={onRemove}>
          Remove<span className="sr-only"> {name}</span>
        </Button>
      </div>
    </fieldset>
  );
}

interface AddProps {
  label: string;
  full: boolean;
  onAdd: () => void;
}

/** Under the rows. */
export const AddRow = ({ label, full, onAdd }: AddProps) => (
  <Button onClick={onAdd} disabled={full} className="self-start">
    {label}
  </Button>
);
