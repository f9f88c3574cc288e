import { clsx } from "clsx";
import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";

/** Copies, and says so where the eye already is. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      aria-label={copied ? "Copied" : label}
      title={label}
      onClick={async () => setCopied(await writeClipboard(text))}
      className="inline-flex size-7 shrink-0 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-text"
    >
      {copied ? (
        <Check className="size-3.5 text-ok" aria-hidden />
      ) : (
        <Copy className="size-3.5" aria-hidden />
      )}
    </button>
  );
}

interface CommandProps {
  text: string;
  /** What the button copies, where it is no command. */
  label?: string;
  className?: string;
}

/** A command as one types it, or a link, with a button that copies it. */
export function Command({ text, label = "Copy the command", className }: CommandProps) {
  return (
    <div
      className={clsx(
        "flex max-w-full items-center gap-1 rounded-md bg-code py-1 pr-1 pl-3 text-left",
        className,
      )}
    >
      <code className="min-w-0 flex-1 font-mono text-xs wrap-anywhere">{text}</code>
      <CopyButton text={text} label={label} />
    </div>
  );
}

/** The clipboard needs a secure page; where there is none, the old way does it. */
async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "fixed opacity-0";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
