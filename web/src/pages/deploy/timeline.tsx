import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { Check, Circle } from "lucide-react";
import type { ReactNode } from "react";
import type { Deploy, DeployEvent } from "@/api/types";
import { StatusIcon, TONE_FILL, TONE_TEXT } from "@/components/status";
import { Took } from "@/components/time";
import { Words } from "@/components/words";
import { useTicking } from "@/lib/clock";
import { DEPLOY, deployTone, isDeployActive, type Tone } from "@/lib/status";
import { placeOf, roadOf, STRETCH, type Stretch } from "@/lib/stretches";
import { clock, duration, exact } from "@/lib/time";
import { PodTrails } from "./pod-trails";

/** Each state as a stretch of time, what happened in it below; the running one ticks. */
export function Timeline({ deploy }: { deploy: Deploy }) {
  const { stretches, end, ahead } = roadOf(
    deploy.state,
    deploy.timeline,
    deploy.finished_at ?? null,
  );
  const begin = Date.parse(deploy.created_at);
  const active = isDeployActive(deploy.state);
  const tick = useTicking(active);
  const last = stretches.at(-1)?.finishedAt;
  const until = active ? Math.max(tick, Date.now()) : Date.parse(last ?? deploy.created_at);
  return (
    <section aria-label="Timeline" className="border-t pt-2 pb-6">
      <h2 className="page-x py-2 font-medium">Timeline</h2>
      <ol aria-live="polite" aria-relevant="additions" className="page-x">
        {stretches.map((stretch) => (
          <li key={stretch.startedAt + stretch.state} className="pb-2">
            <StretchHead
              deploy={deploy}
              stretch={stretch}
              bar={<Bar {...placeOf(stretch, begin, until)} tone={toneOf(stretch, deploy)} />}
            />
            <Entries events={stretch.events} />
            {stretch.pods.length > 0 && <PodTrails trails={stretch.pods} />}
          </li>
        ))}
        {ahead.map((state) => (
          <li key={state} className="flex h-7 items-center gap-2.5 text-faint">
            <Circle className="size-4 shrink-0" aria-hidden />
            {STRETCH[state]}
            <span className="ml-auto">not yet</span>
          </li>
        ))}
        {end.map((event, index) => (
          <End key={event.seq} deploy={deploy} event={event} first={index === 0} />
        ))}
      </ol>
    </section>
  );
}

interface HeadProps {
  deploy: Deploy;
  stretch: Stretch;
  bar: ReactNode;
}

const WORDS: Record<Stretch["how"], string> = {
  done: "done",
  active: "goes on",
  failed: "failed",
  stopped: "stopped",
};

/** Icon, name, where it lies in the whole, and how long it took. */
function StretchHead({ deploy, stretch, bar }: HeadProps) {
  const { state, how } = stretch;
  const build = state === "building" ? deploy.build_id : null;
  return (
    <div className="flex h-7 items-center gap-2.5">
      <StretchIcon stretch={stretch} deploy={deploy} />
      <span className="w-24 shrink-0 font-medium">
        {build == null ? (
          STRETCH[state]
        ) : (
          <Link
            to="/builds/$id"
            params={{ id: String(build) }}
            className="link underline decoration-line-strong underline-offset-3"
          >
            Build
          </Link>
        )}
        <span className="sr-only">, {WORDS[how]}</span>
      </span>
      <span className="relative h-2 min-w-0 flex-1" aria-hidden>
        {bar}
      </span>
      <span className={clsx("w-21 shrink-0 text-right sm:w-24", how === "active" && "font-medium")}>
        <Took startedAt={stretch.startedAt} finishedAt={stretch.finishedAt} />
      </span>
    </div>
  );
}

function toneOf({ how }: Stretch, deploy: Deploy): Tone {
  if (how === "active") return deployTone(deploy);
  if (how === "failed") return "failed";
  return how === "stopped" ? "unknown" : "ok";
}

function StretchIcon({ stretch, deploy }: { stretch: Stretch; deploy: Deploy }) {
  if (stretch.how === "done") return <Check className="size-4 shrink-0 text-ok" aria-hidden />;
  return <StatusIcon tone={toneOf(stretch, deploy)} />;
}

const Bar = ({ left, width, tone }: { left: number; width: number; tone: Tone }) => (
  <span
    style={{ left: `${left}%`, width: `${width}%` }}
    className={clsx("absolute inset-y-0 rounded-full", TONE_FILL[tone])}
  />
);

/** What happened, oldest first, under the name of its stretch. */
function Entries({ events }: { events: DeployEvent[] }) {
  return (
    <ul>
      {events.map((event) => (
        <Entry key={event.seq} event={event} />
      ))}
    </ul>
  );
}

const Entry = ({ event }: { event: DeployEvent }) => (
  <li className="flex items-baseline gap-3 py-0.5 pl-6.5">
    <time dateTime={event.at} title={exact(event.at)} className="nums w-15 shrink-0 text-faint">
      {clock(event.at)}
    </time>
    <span className="min-w-0 flex-1 break-words text-muted">
      <Words text={event.message} />
    </span>
  </li>
);

interface EndProps {
  deploy: Deploy;
  event: DeployEvent;
  first: boolean;
}

/** How it ended; what follows, such as a rollback that was asked for, stands below. */
function End({ deploy, event, first }: EndProps) {
  if (!first) return <Entry event={event} />;
  const { tone, word } = DEPLOY[event.state];
  // Why it failed stands above in full.
  const said = event.state === "failed" && event.message === deploy.message;
  return (
    <li>
      <div className="flex h-7 items-center gap-2.5">
        <StatusIcon tone={tone} />
        <span className={clsx("flex-1 font-medium", TONE_TEXT[tone])}>{word}</span>
        <span className="nums shrink-0 text-muted">
          after {duration(Date.parse(event.at) - Date.parse(deploy.created_at))}
        </span>
      </div>
      {!said && (
        <ul>
          <Entry event={event} />
        </ul>
      )}
    </li>
  );
}
