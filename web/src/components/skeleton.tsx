import { clsx } from "clsx";

/** The shape of text that has not come yet. */
export const Bone = ({ className }: { className?: string }) => (
  <span className={clsx("skeleton inline-block h-3 align-middle", className)} aria-hidden />
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
    <div className="flex h-7 items-center">
      <Bone className="h-5! w-44" />
    </div>
    <div className="flex h-5 items-center">
      <Bone className="w-80 max-w-full" />
    </div>
    <div className="flex h-5 items-center">
      <Bone className="w-56" />
    </div>
  </div>
);
