import { clsx } from "clsx";
import { LoaderCircle } from "lucide-react";
import { Slot } from "radix-ui";
import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import { Kbd } from "./kbd";

type Look = "primary" | "plain" | "quiet" | "danger";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  /** Gives the button's looks to its only child, for links. */
  asChild?: boolean;
  busy?: boolean;
  icon?: ReactNode;
  shortcut?: string;
  ref?: Ref<HTMLButtonElement>;
}

const LOOKS: Record<Look, string> = {
  primary: "bg-accent text-on-accent hover:bg-accent-strong font-medium",
  plain: "bg-panel text-text border border-line hover:bg-hover font-medium",
  quiet: "text-muted hover:text-text hover:bg-hover",
  danger: "bg-panel text-failed border border-line hover:border-failed font-medium",
};

const SHAPE =
  "inline-flex h-8 shrink-0 items-center justify-center gap-1.5 rounded-md px-3 text-sm whitespace-nowrap transition-colors disabled:opacity-60 aria-disabled:cursor-default aria-disabled:opacity-60";

/** A button says what will happen to what. */
export function Button({
  look = "plain",
  asChild,
  busy,
  icon,
  shortcut,
  className,
  children,
  disabled,
  onClick,
  ...rest
}: Props) {
  const classes = clsx(SHAPE, LOOKS[look], className);
  if (asChild) {
    return (
      <Slot.Root className={classes} onClick={onClick} {...rest}>
        {children}
      </Slot.Root>
    );
  }
  return (
    <button
      type="button"
      className={classes}
      disabled={disabled}
      aria-busy={busy || undefined}
      aria-disabled={busy || undefined}
      {...rest}
      // A button that is disabled would lose the focus; a busy one only does nothing.
      onClick={busy ? (event) => event.preventDefault() : onClick}
    >
      {busy ? <LoaderCircle className="size-3.5 animate-spin" aria-hidden /> : icon}
      {children}
      {shortcut && <Kbd keys={shortcut} tone={look === "primary" ? "on-accent" : "plain"} />}
    </button>
  );
}

interface IconProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  label: string;
  ref?: Ref<HTMLButtonElement>;
}

/** A square button with only an icon; its label is read aloud and shown on hover. */
export function IconButton({ label, className, children, ...rest }: IconProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={clsx(
        "inline-flex size-8 shrink-0 items-center justify-center rounded-md text-muted transition-colors hover:bg-hover hover:text-text disabled:opacity-50 [&_svg]:size-4",
        className,
      )}
      {...rest}
    >
      {children}
    </button>
  );
}
