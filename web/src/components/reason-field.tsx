import { useEffect, useRef } from "react";
import { Field } from "./field";

interface Props {
  value: string;
  onChange: (reason: string) => void;
  /** What is asked. */
  label?: string;
  /** Where it may stay empty, this is what happens with it. */
  optional?: string;
  placeholder?: string;
  /** Whether the keyboard begins here. */
  first?: boolean;
}

/** For those who look at a deploy's history. */
export const SEEN_IN_HISTORY = "Optional; whoever looks at the history will see it";

/** Why it is done, in the words of whoever does it; kept with what was done. */
export function ReasonField({ value, onChange, label = "Reason", ...props }: Props) {
  return (
    <Field
      data-first={props.first || undefined}
      label={label}
      placeholder={props.optional ?? props.placeholder}
      required={props.optional === undefined}
      maxLength={1000}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

/** Why what a mark holds back is right to deploy; the keyboard goes there when it appears. */
export function OverrideField({ value, onChange }: Pick<Props, "value" | "onChange">) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <Field
      ref={field}
      label="Why it is right to deploy it all the same"
      help="Kept with the deploy"
      maxLength={1000}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
