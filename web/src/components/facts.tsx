import { clsx } from "clsx";
import { Children, type ReactNode } from "react";

/** Facts on a line with middle dots between them; a line that breaks neither ends nor begins with one. */
export function Facts({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <div className={clsx("overflow-hidden text-muted", className)}>
      <ul className="-ml-4 flex flex-wrap">
        {Children.toArray(children).map((fact, index) => (
          <li
            // biome-ignore lint/suspicious/noArrayIndexKey: the facts have fixed places
            key={index}
            className="relative min-w-0 pl-4 wrap-anywhere before:absolute before:left-1.5 before:text-faint before:content-['·'/'']"
          >
            {fact}
          </li>
        ))}
      </ul>
    </div>
  );
}
