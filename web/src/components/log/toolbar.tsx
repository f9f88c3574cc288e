import { clsx } from "clsx";
import { ChevronDown, ChevronUp } from "lucide-react";
import type { ReactNode } from "react";
import { IconButton } from "../button";
import { SearchField } from "../field";

interface SearchProps {
  value: string;
  onChange: (value: string) => void;
  /** Which hit is shown, from 1, and how many there are. */
  at: number;
  total: number;
  onStep: (step: 1 | -1) => void;
}

/** Search within a log: Enter goes to the next, Shift-Enter to the one before. */
export function LogSearch({ value, onChange, at, total, onStep }: SearchProps) {
  return (
    <form
      className="flex min-w-0 items-center gap-1 max-sm:flex-1"
      onSubmit={(event) => {
        event.preventDefault();
        onStep(1);
      }}
      onKeyDown={(event) => {
        if (event.key !== "Enter" || !event.shiftKey) return;
        event.preventDefault();
        onStep(-1);
      }}
    >
      <SearchField
        label="Search the log"
        value={value}
        onChange={onChange}
        className="w-52 max-xl:w-44 max-sm:w-auto max-sm:min-w-24 max-sm:flex-1"
      />
      {value !== "" && (
        <>
          <span className="nums px-1 whitespace-nowrap text-faint" role="status">
            {total === 0 ? "None" : at === 0 ? `${total} found` : `${at} of ${total}`}
          </span>
          <IconButton label="Hit before" disabled={total === 0} onClick={() => onStep(-1)}>
            <ChevronUp />
          </IconButton>
          <IconButton label="Next hit" disabled={total === 0} onClick={() => onStep(1)}>
            <ChevronDown />
          </IconButton>
        </>
      )}
    </form>
  );
}

interface ToggleProps {
  label: string;
  icon: ReactNode;
  pressed: boolean;
  onChange: (pressed: boolean) => void;
}

export function Toggle({ label, icon, pressed, onChange }: ToggleProps) {
  return (
    <button
      type="button"
      aria-pressed={pressed}
      onClick={() => onChange(!pressed)}
      title={label}
      className={clsx(
        "inline-flex h-8 items-center gap-1.5 rounded-md px-2 [&_svg]:size-4",
        pressed ? "bg-selected text-accent-text" : "text-muted hover:bg-hover hover:text-text",
      )}
    >
      {icon}
      <span className="max-sm:sr-only">{label}</span>
    </button>
  );
}
