import type { WorkloadRules } from "@/api/types";
import { Status } from "@/components/status";
import { Ago } from "@/components/time";
import { Words } from "@/components/words";
import { HOLDING } from "@/lib/status";

/** Whether a deploy would begin at once; else which rules hold it, until when, and who can let it. */
export function Holds({ verdict }: Pick<WorkloadRules, "verdict">) {
  return (
    <>
      <Status
        look={
          verdict.allowed
            ? { tone: "ok", word: "It would begin at once" }
            : { tone: "waiting", word: "It would be held" }
        }
      />
      <ul>
        {verdict.holds.map((hold) => (
          <li key={`${hold.rule}:${hold.scope}:${hold.message}`} className="mt-1 break-words">
            <span className="font-medium">{HOLDING[hold.rule]}:</span> <Words text={hold.message} />
            {hold.allowed_at && (
              <>
                ; allowed <Ago at={hold.allowed_at} />
              </>
            )}
            {hold.hint && (
              <span className="block text-muted">
                <Words text={hold.hint} />
              </span>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}
