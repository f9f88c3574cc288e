import { type FormEvent, type ReactNode, useEffect, useId, useRef } from "react";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { ProblemView } from "./problem";

interface Props {
  title: ReactNode;
  description?: ReactNode;
  /** What the button says; null where there is nothing to ask for. */
  action: ReactNode | null;
  danger?: boolean;
  wide?: boolean;
  /** Whether everything that is needed is filled in. */
  ready: boolean;
  /** Nothing has to be filled in: Enter confirms it, as soon as it is known what would happen. */
  confirm?: boolean;
  ask: { mutate: () => void; isPending: boolean; error: unknown };
  onClose: () => void;
  /** Beside the button. */
  beside?: ReactNode;
  children: ReactNode;
}

/** A dialog with a form: fields, the button that asks, and what the server refused. */
export function FormDialog(props: Props) {
  const { title, description, action, danger, wide, ready, confirm, ask, onClose, beside } = props;
  const form = useId();
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const lost = document.activeElement?.getAttribute("role") === "dialog";
    if (confirm && ready && lost) button.current?.focus();
  }, [confirm, ready]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && !ask.isPending) ask.mutate();
  };
  return (
    <Dialog
      open
      wide={wide}
      onClose={onClose}
      title={<span className="wrap-anywhere">{title}</span>}
      description={description}
      footer={
        action !== null && (
          <>
            {beside}
            <Button
              ref={button}
              look={danger ? "danger" : "primary"}
              type="submit"
              data-confirm={confirm || undefined}
              form={form}
              disabled={!ready}
              busy={ask.isPending}
            >
              {action}
            </Button>
          </>
        )
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4">
        {props.children}
      </form>
      {ask.error != null && <ProblemView error={ask.error} className="mt-4" />}
    </Dialog>
  );
}
