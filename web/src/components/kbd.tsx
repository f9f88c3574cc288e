import { clsx } from "clsx";

/** A shortcut such as "c" or "g w", for eyes that can use it. */
export function Kbd({ keys, tone = "plain" }: { keys: string; tone?: "plain" | "on-accent" }) {
  return (
    <span className="ml-0.5 hidden gap-0.5 md:inline-flex" aria-hidden>
      {keys.split(" ").map((key) => (
        <kbd
          key={key}
          className={clsx(
            "inline-flex h-4.5 min-w-4.5 items-center justify-center rounded-sm border px-1 font-sans text-[0.6875rem] leading-none",
            tone === "plain" ? "border-line text-faint" : "border-on-accent/40 text-on-accent",
          )}
        >
          {key === "mod" ? modifier : key.toUpperCase()}
        </kbd>
      ))}
    </span>
  );
}

const modifier = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl";
