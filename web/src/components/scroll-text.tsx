import type { ReactNode } from "react";

/** Lines of a log or of a diff in a box of its own height, which the keyboard can scroll, too. */
export const ScrollText = ({ label, children }: { label: string; children: ReactNode }) => (
  <section
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    tabIndex={0}
    aria-label={label}
    className="mt-1 max-h-80 overflow-auto rounded-md bg-rail px-3 py-2"
  >
    <pre className="font-mono text-xs">{children}</pre>
  </section>
);
