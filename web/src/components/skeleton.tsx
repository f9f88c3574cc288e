import { clsx } from "clsx";

/** The shape of text that has not come yet. */
export const Bone = ({ className }: { className?: string }) => (
  <span className={clsx("skeleton inline-block h-3 align-middle", className)} aria-hidden />
);

/** One that stands in a line of text; `line` has the line's height. */
export const BoneLine = ({ line = "h-5", className }: { line?: string; className: string }) => (
  <div className={clsx("flex items-center", line)}>
    <Bone className={className} />
  </div>
);

/** Tells once, in words, what the bones mean. */
export const Loading = ({ what }: { what: string }) => (
  <span className="sr-only" role="status">
    Loading {what}
  </span>
);

/** The head of a build or a deploy, while it is fetched: its state, its commit, its facts. */
export const HeadBones = ({ className }: { className: string }) => (
  <div className={clsx("page-x flex flex-col gap-1 pt-4", className)} aria-hidden>
    <BoneLine line="h-7" className="h-5! w-44" />
    <BoneLine className="w-80 max-w-full" />
    <BoneLine className="w-56" />
  </div>
);
