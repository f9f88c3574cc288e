import { clsx } from "clsx";
import { useState } from "react";
import { Button } from "@/components/button";
import { TONE_TEXT } from "@/components/status";
import { Words } from "@/components/words";
import { plural } from "@/lib/format";
import type { Tone } from "@/lib/status";
import type { PodStep, PodTrail } from "@/lib/stretches";
import { clock, exact } from "@/lib/time";

/** More than these are counted; who wants to see each opens them. */
const SHOWN = 6;

const TONES: Record<string, Tone> = {
  scheduled: "progress",
  waiting: "failed",
  crashed: "failed",
  ready: "ok",
  unready: "failed",
  stopping: "waiting",
  gone: "unknown",
};

const toneOf = (step: PodStep): Tone => TONES[step.change] ?? "unknown";
const isTrouble = (step: PodStep): boolean => toneOf(step) === "failed";

/** Pods that came and went during a stretch: the new ones, then the old. */
export function PodTrails({ trails }: { trails: PodTrail[] }) {
  const groups = [
    { name: "new", list: trails.filter((it) => it.isNew) },
    { name: "old", list: trails.filter((it) => !it.isNew) },
  ];
  return (
    <div className="flex flex-col gap-1 py-1 pl-6.5">
      {groups.map(
        ({ name, list }) => list.length > 0 && <Group key={name} name={name} trails={list} />,
      )}
    </div>
  );
}

function Group({ name, trails }: { name: string; trails: PodTrail[] }) {
  const [open, setOpen] = useState(false);
  const many = trails.length > SHOWN;
  // Those in trouble are seen without opening anything.
  const shown = many && !open ? trails.filter(inTrouble).slice(0, SHOWN) : trails;
  return (
    <div>
      <p className="flex flex-wrap items-center gap-x-3 text-muted">
        <span>
          {plural(trails.length, `${name} pod`)}: {countWords(trails)}
        </span>
        {many && (
          <Button
            look="quiet"
            aria-expanded={open}
            className="-my-1 h-7! px-2! text-accent-text!"
            onClick={() => setOpen(!open)}
          >
            {open ? "Show fewer" : "Show each"}
          </Button>
        )}
      </p>
      <ul>
        {shown.map((trail) => (
          <Trail key={trail.name} trail={trail} />
        ))}
      </ul>
    </div>
  );
}

/** One line for a pod: its name and its steps with their times; trouble below, with the reason. */
function Trail({ trail }: { trail: PodTrail }) {
  const reasons = trail.steps.filter(isTrouble);
  const steps = trail.steps.filter((step) => !isTrouble(step));
  return (
    <li className="py-0.5">
      <span className="flex flex-wrap items-baseline gap-x-3">
        <code className="min-w-0 font-mono text-xs wrap-anywhere">{trail.name}</code>
        {steps.map((step) => (
          <span
            key={step.seq}
            title={step.words}
            className={clsx("whitespace-nowrap", TONE_TEXT[toneOf(step)])}
          >
            {step.change.replaceAll("_", " ")} <When at={step.at} />
          </span>
        ))}
      </span>
      {reasons.map((step) => (
        <span key={step.seq} className="block pl-3 wrap-anywhere">
          <span className="text-failed">
            <Words text={step.words} />
          </span>{" "}
          <When at={step.at} />
        </span>
      ))}
    </li>
  );
}

const When = ({ at }: { at: string }) => (
  <time dateTime={at} title={exact(at)} className="nums text-faint">
    {clock(at)}
  </time>
);

const inTrouble = ({ steps }: PodTrail): boolean => {
  const last = steps.at(-1);
  return last !== undefined && isTrouble(last);
};

/** "2 ready, 1 crashed": by what became of each last. */
function countWords(trails: PodTrail[]): string {
  const counts = new Map<string, number>();
  for (const { steps } of trails) {
    const last = steps.at(-1)?.change.replaceAll("_", " ");
    if (last) counts.set(last, (counts.get(last) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
}
