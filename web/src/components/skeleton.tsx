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
