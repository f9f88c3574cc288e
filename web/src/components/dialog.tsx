import { clsx } from "clsx";
import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { IconButton } from "./button";
import { useFocusReturn } from "./focus-return";

interface Props {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  description?: ReactNode;
  children: ReactNode;
  footer?: ReactNode;
  wide?: boolean;
}

/** Where the keyboard begins: what is to be filled in, else what is to be confirmed. */
const FIRST_FOCUS = "[data-first], [data-confirm]:not(:disabled)";

/**
 * One dialog a task. The scrim is a plain element: Radix' own overlay writes a style tag, which the
 * content security policy forbids.
 */
export function Dialog({ open, onClose, title, description, children, footer, wide }: Props) {
  const returnFocus = useFocusReturn();
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <div className="fixed inset-0 z-40 bg-scrim" aria-hidden />
        <Radix.Content
          {...(description ? {} : { "aria-describedby": undefined })}
          onCloseAutoFocus={returnFocus}
          onOpenAutoFocus={(event) => {
            const box = event.target as HTMLElement;
            event.preventDefault();
            (box.querySelector<HTMLElement>(FIRST_FOCUS) ?? box).focus();
          }}
          className={clsx(
            "appear fixed inset-x-0 bottom-0 z-50 mx-auto flex max-h-[92dvh] w-full flex-col rounded-t-xl bg-panel shadow-float outline-none sm:top-[10vh] sm:bottom-auto sm:max-h-[80vh] sm:rounded-xl",
            wide ? "sm:max-w-2xl" : "sm:max-w-lg",
          )}
        >
          <header className="flex items-start gap-4 px-5 pt-4 pb-3">
            <div className="min-w-0 flex-1">
              <Radix.Title className="text-lg font-semibold">{title}</Radix.Title>
              {description && (
                <Radix.Description className="mt-0.5 text-muted">{description}</Radix.Description>
              )}
            </div>
            <Radix.Close asChild>
              <IconButton label="Close" className="-mr-2">
                <X />
              </IconButton>
            </Radix.Close>
          </header>
          <div data-body className="min-h-0 flex-1 overflow-y-auto px-5 pb-4">
            {children}
          </div>
          {footer && (
            <footer className="flex flex-wrap items-center justify-end gap-2 border-t px-5 py-3">
              {footer}
            </footer>
          )}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
