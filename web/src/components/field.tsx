import { clsx } from "clsx";
import { ChevronDown, Search } from "lucide-react";
import { type InputHTMLAttributes, type ReactNode, type Ref, useId } from "react";

export const BOX =
  "h-8 w-full rounded-md border bg-bg px-2.5 text-sm outline-none placeholder:text-faint focus:border-focus focus:ring-1 focus:ring-focus aria-invalid:border-failed-fill";

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  help?: ReactNode;
  mono?: boolean;
  invalid?: boolean;
  /** Values that the browser offers while one types; others may be typed, too. */
  options?: readonly string[];
  ref?: Ref<HTMLInputElement>;
}

/** A labelled input with its explanation under it. */
export function Field({ label, help, mono, invalid, options, className, ...rest }: FieldProps) {
  const id = useId();
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-1 block font-medium">
        {label}
      </label>
      <input
        id={id}
        className={clsx(BOX, "border-line-strong", mono && "font-mono text-xs")}
        aria-describedby={help ? `${id}-help` : undefined}
        aria-invalid={invalid || undefined}
        autoComplete="off"
        spellCheck={false}
        list={options && `${id}-options`}
        {...rest}
      />
      {options && (
        <datalist id={`${id}-options`}>
          {options.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      )}
      {help && (
        <p
          id={`${id}-help`}
          className={clsx("mt-1 text-xs", invalid ? "text-failed" : "text-faint")}
        >
          {help}
        </p>
      )}
    </div>
  );
}

interface NumberProps extends Omit<FieldProps, "inputMode" | "invalid" | "onChange"> {
  /** What is wrong with it, in words; they take the place of the help. */
  wrong?: string | null;
  onChange: (text: string) => void;
}

/** A number as it is typed: the browser's own would not tell what is no number from nothing. */
export const NumberField = ({ wrong, help, onChange, ...rest }: NumberProps) => (
  <Field
    inputMode="numeric"
    help={wrong ?? help}
    invalid={wrong != null}
    onChange={(event) => onChange(event.target.value)}
    {...rest}
  />
);

interface SearchProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
  className?: string;
  ref?: Ref<HTMLInputElement>;
  /** Whether a dialog's keyboard begins here. */
  first?: boolean;
}

export function SearchField(props: SearchProps) {
  const { label, value, onChange, placeholder, className, ref, first } = props;
  return (
    <div className={clsx("relative", className)}>
      <Search
        className="pointer-events-none absolute top-2 left-2.5 size-4 text-faint"
        aria-hidden
      />
      <input
        ref={ref}
        type="search"
        data-first={first || undefined}
        aria-label={label}
        placeholder={placeholder ?? label}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape" && value !== "") {
            event.stopPropagation();
            onChange("");
          }
        }}
        autoComplete="off"
        spellCheck={false}
        className={clsx(BOX, "border-line pl-8 [&::-webkit-search-cancel-button]:hidden")}
      />
    </div>
  );
}

interface PickProps {
  label: string;
  value: string;
  options: readonly { value: string; label: string }[];
  onChange: (value: string) => void;
  className?: string;
  mono?: boolean;
}

/** The browser's own select: it works on every screen and with every keyboard. */
export function Pick({ label, value, options, onChange, className, mono }: PickProps) {
  return (
    <div className={clsx("relative", className)}>
      <select
        aria-label={label}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        className={clsx(
          "h-8 w-full appearance-none truncate rounded-md border bg-bg pr-7 pl-2.5 text-sm hover:bg-hover",
          mono && "font-mono text-xs",
        )}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
      <ChevronDown
        className="pointer-events-none absolute top-2.5 right-2 size-3.5 text-faint"
        aria-hidden
      />
    </div>
  );
}

interface CheckProps {
  label: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
  help?: string;
}

/** The browser's own checkbox with its label beside it. */
export function Check({ label, checked, onChange, help }: CheckProps) {
  return (
    <label className="flex min-w-0 items-start gap-2.5">
      <input
        type="checkbox"
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
        className="mt-0.5 size-4 shrink-0 accent-accent"
      />
      <span className="min-w-0 flex-1">
        {label}
        {help && <span className="block text-xs text-faint">{help}</span>}
      </span>
    </label>
  );
}
