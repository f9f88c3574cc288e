import { CircleX, WifiOff } from "lucide-react";
import { isDenied, isInvalid, isUnreachable, problemOf } from "@/api/problem";
import type { Place } from "@/api/types";
import { Button } from "./button";
import { Words } from "./words";

interface Props {
  error: unknown;
  /** What to do next on this page, where the server's words are for another. */
  hint?: string;
  /** What to do again; shown as "Try again", unless it would be refused again. */
  onRetry?: () => void;
  className?: string;
}

/** In a dialog that scrolls, what was refused would stand below its edge. */
const intoView = (element: HTMLElement | null) => {
  if (element?.closest("[data-body]")) element.scrollIntoView?.({ block: "nearest" });
};

/** What happened, why if known, what to do next, and an id to quote. */
export function ProblemView({ error, hint, onRetry, className }: Props) {
  const problem = problemOf(error);
  const next = hint ?? problem.hint;
  const Icon = isUnreachable(error) ? WifiOff : CircleX;
  const places = problem.places ?? [];
  // The places say it all, and better than one sentence of them; of a conflict, the sentence has
  // the commit.
  const said = places.length > 0 && !problem.type.endsWith("-conflict");
  // Of a form, the title would only say that it was refused; the detail says which field, and why.
  const title = !said && isInvalid(error) && problem.detail ? problem.detail : problem.title;
  const detail = said || problem.detail === title ? null : problem.detail;
  return (
    <div role="alert" ref={intoView} className={className}>
      <div className="flex gap-3 rounded-lg bg-failed-soft px-4 py-3 max-sm:flex-wrap">
        <Icon className="mt-0.5 size-4 shrink-0 text-failed" aria-hidden />
        <div className="min-w-0 flex-1 max-sm:min-w-48">
          <p className="font-medium break-words">
            <Words text={title} />
          </p>
          {detail && (
            <p className="mt-0.5 break-words whitespace-pre-line text-muted">
              <Words text={detail} />
            </p>
          )}
          {places.length > 0 && (
            <ul className="mt-2 flex flex-col gap-2">
              {places.map((place) => (
                <PlaceView key={`${place.file}:${place.line}:${place.message}`} place={place} />
              ))}
            </ul>
          )}
          {next && (
            <p className="mt-1.5 break-words">
              <Words text={next} />
            </p>
          )}
          {problem.request_id && (
            <p className="mt-1.5 text-xs text-muted">
              When you ask for help, quote{" "}
              <code className="font-mono wrap-anywhere">{problem.request_id}</code>
            </p>
          )}
        </div>
        {onRetry && !isDenied(error) && !isInvalid(error) && (
          <Button look="plain" onClick={onRetry} className="self-start max-sm:ml-7">
            Try again
          </Button>
        )}
      </div>
    </div>
  );
}

/** A place in the user's own file: where, what is wrong, what to write instead. */
function PlaceView({ place }: { place: Place }) {
  const where = [place.file, place.line, place.column].filter((part) => part != null).join(":");
  return (
    <li className="min-w-0">
      <code className="font-mono text-xs wrap-anywhere text-failed">{where}</code>
      {place.field && (
        <code className="ml-2 font-mono text-xs wrap-anywhere text-muted">{place.field}</code>
      )}
      {place.message.includes("\n") ? (
        // Lines of the file itself: both sides of a conflict.
        <pre className="mt-1 font-mono text-xs whitespace-pre-wrap wrap-anywhere">
          {place.message.trimEnd()}
        </pre>
      ) : (
        <p className="break-words">
          <Words text={place.message} />
        </p>
      )}
      {place.hint && (
        <p className="break-words text-muted">
          <Words text={place.hint} />
        </p>
      )}
    </li>
  );
}
