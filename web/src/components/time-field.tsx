import { clsx } from "clsx";
import { useEffect, useId, useRef } from "react";
import { BOX } from "./field";

interface Props {
  label: string;
  /** By the clock of whoever sits here: "2026-01-01T10:00", or nothing. */
  value: string;
  /** What is wrong with it, in words. */
  wrong: string | null;
  onChange: (value: string) => void;
  className?: string;
}

/** A time of a filter: the browser's own field with its label before it. */
export function TimeField({ label, value, wrong, onChange, className }: Props) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  // The browser forgets the digits of a year that is half typed when the value is set meanwhile.
  useEffect(() => {
    const field = input.current;
    if (field !== null && field !== document.activeElement) field.value = value;
  }, [value]);
  return (
    <div className={className}>
      <div className="flex items-center gap-2">
        <label htmlFor={id} className="text-muted max-sm:w-10">
          {label}
        </label>
        <input
          ref={input}
          id={id}
          type="datetime-local"
          max="9999-12-31T23:59"
          defaultValue={value}
          aria-describedby={wrong ? `${id}-wrong` : undefined}
          aria-invalid={wrong !== null || undefined}
          onChange={(event) => onChange(event.target.value)}
          className={clsx(BOX, "min-w-0 flex-1 border-line")}
        />
      </div>
      {wrong && (
        <p id={`${id}-wrong`} className="mt-1 text-xs text-failed">
          {wrong}
        </p>
      )}
    </div>
  );
}
