import { X } from "lucide-react";
import { useEffect, useSyncExternalStore } from "react";
import { problemOf } from "@/api/problem";
import { IconButton } from "./button";
import { StatusIcon } from "./status";

interface Toast {
  id: number;
  text: string;
  detail: string | null;
  failed: boolean;
}

let toasts: Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function set(next: Toast[]) {
  toasts = next;
  for (const listener of listeners) listener();
}

/** For what the page does not show by itself; rarely. */
export function toast(text: string, detail: string | null = null, failed = false) {
  set([...toasts.slice(-2), { id: nextId++, text, detail, failed }]);
}

/** A refusal after the page had already changed. */
export function toastProblem(what: string, error: unknown) {
  const problem = problemOf(error);
  const parts = [problem.detail ?? problem.title, problem.hint].filter(Boolean);
  toast(what, parts.join(" "), true);
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
};

export function Toasts() {
  const list = useSyncExternalStore(subscribe, () => toasts);
  return (
    <section
      aria-label="Messages"
      aria-live="polite"
      className="pointer-events-none fixed inset-x-4 bottom-16 z-60 flex flex-col items-end gap-2 sm:bottom-4"
    >
      {list.map((item) => (
        <ToastView key={item.id} toast={item} />
      ))}
    </section>
  );
}

function ToastView({ toast: item }: { toast: Toast }) {
  const { id, failed } = item;
  useEffect(() => {
    const timer = setTimeout(
      () => set(toasts.filter((it) => it.id !== id)),
      failed ? 12_000 : 5_000,
    );
    return () => clearTimeout(timer);
  }, [id, failed]);
  return (
    <div className="appear pointer-events-auto flex w-full max-w-sm items-start gap-2.5 rounded-lg border bg-panel py-2.5 pr-1.5 pl-3 shadow-float">
      <StatusIcon tone={failed ? "failed" : "ok"} className="mt-0.5" />
      <div className="min-w-0 flex-1">
        <p className="font-medium break-words">{item.text}</p>
        {item.detail && <p className="break-words text-muted">{item.detail}</p>}
      </div>
      <IconButton
        label="Dismiss"
        className="-my-1"
        onClick={() => set(toasts.filter((it) => it.id !== id))}
      >
        <X />
      </IconButton>
    </div>
  );
}
