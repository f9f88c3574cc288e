import type { Deploy } from "@/api/types";
import { StatusIcon } from "@/components/status";
import { Words } from "@/components/words";
import { DEPLOY } from "@/lib/status";
import { clock, duration, exact } from "@/lib/time";

/** Everything that happened, oldest first, with the time since the asking. */
export function Timeline({ deploy }: { deploy: Deploy }) {
  const start = Date.parse(deploy.created_at);
  const last = deploy.timeline.length - 1;
  return (
    <section aria-label="Timeline" className="pt-2 pb-6">
      <h2 className="page-x py-2 font-medium">Timeline</h2>
      <ol aria-live="polite" aria-relevant="additions">
        {deploy.timeline.map((event, index) => {
          return (
            <li key={event.seq} className="page-x flex items-baseline gap-3 py-1">
              <time
                dateTime={event.at}
                title={exact(event.at)}
                className="nums w-16 shrink-0 text-faint"
              >
                {clock(event.at)}
              </time>
              <span className="flex h-5 w-4 shrink-0 items-center justify-center self-start">
                {index < last ? (
                  <span className="size-1.5 rounded-full bg-line-strong" aria-hidden />
                ) : (
                  <StatusIcon tone={DEPLOY[event.state].tone} />
                )}
              </span>
              <span className="min-w-0 flex-1 break-words">
                <Words text={event.message} />
              </span>
              <span className="nums shrink-0 text-faint max-sm:hidden">
                +{duration(Date.parse(event.at) - start)}
              </span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
