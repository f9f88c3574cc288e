import type { ReactNode } from "react";
import { Button } from "./button";
import { Command } from "./copy";
import { Dialog } from "./dialog";

interface Props {
  title: ReactNode;
  description: ReactNode;
  /** A token or a link, which nobody can read again. */
  secret: string;
  /** What the button copies. */
  label: string;
  onClose: () => void;
  children?: ReactNode;
}

/** Shows a secret this once. It stands in no cache and no address; with the dialog it is gone. */
export function OnceDialog({ title, description, secret, label, onClose, children }: Props) {
  return (
    <Dialog
      open
      onClose={onClose}
      title={<span className="wrap-anywhere">{title}</span>}
      description={description}
      footer={
        <Button look="primary" data-confirm onClick={onClose}>
          I have copied it
        </Button>
      }
    >
      <Command text={secret} label={label} />
      {children && <div className="mt-3 text-muted">{children}</div>}
    </Dialog>
  );
}
