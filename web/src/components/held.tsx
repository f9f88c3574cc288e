import { clsx } from "clsx";
import { Clock } from "lucide-react";
import type { ReactNode } from "react";
import type { HeldDeploy } from "@/api/types";
import { HOLDING } from "@/lib/status";
import { Ago } from "./time";
import { Words } from "./words";

interface Props {
  held: HeldDeploy;
  /** Whether the rule is named here: where no headline above it does. */
  titled?: boolean;
  className?: string;
  children?: ReactNode;
}

/** Which rule holds a deploy, when it goes on, and who can let it. */
export function Held({ held, titled, className, children }: Props) {
  return (
    <div className={clsx("flex gap-3 rounded-lg bg-rail px-4 py-3", className)}>
      <Clock className="mt-0.5 size-4 shrink-0 text-waiting" aria-hidden />
      <div className="min-w-0 flex-1">
        {titled && <p className="font-medium text-waiting">{HOLDING[held.rule]}</p>}
        <p className="break-words">
          <Words text={held.message} />
        </p>
        {held.until && (
          <p>
            Goes on by itself <Ago at={held.until} />
          </p>
        )}
        {held.approvals?.given.map((it) => (
          <p key={it.by} className="break-words text-muted">
            Approved by {it.by}
            {it.comment && `: “${it.comment}”`}
          </p>
        ))}
        {held.hint && (
          <p className="mt-1 break-words text-muted">
            <Words text={held.hint} />
          </p>
        )}
        {children}
      </div>
    </div>
  );
}
