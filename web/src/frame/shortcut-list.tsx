import { Dialog } from "@/components/dialog";
import { type Action, useAllActions } from "./actions";

const FIXED: Pick<Action, "id" | "label" | "shortcut">[] = [
  { id: "palette", label: "Search or do anything", shortcut: "mod k" },
  { id: "palette-slash", label: "The same", shortcut: "/" },
  { id: "down", label: "Next row", shortcut: "j" },
  { id: "up", label: "Row before", shortcut: "k" },
  { id: "open", label: "Open the row", shortcut: "Enter" },
  { id: "back", label: "Close or go back", shortcut: "Esc" },
];

/** The keys that work here. */
export default function ShortcutList({ onClose }: { onClose: () => void }) {
  const actions = useAllActions().filter((action) => action.shortcut !== undefined);
  return (
    <Dialog open onClose={onClose} title="Keyboard shortcuts">
      <dl className="grid grid-cols-[1fr_auto] gap-y-2">
        {[...actions, ...FIXED].map((action) => (
          <div key={action.id} className="contents">
            <dt>{action.label}</dt>
            <dd className="flex gap-1">
              {(action.shortcut ?? "").split(" ").map((key) => (
                <kbd
                  key={key}
                  className="inline-flex h-5 min-w-5 items-center justify-center rounded border px-1.5 font-sans text-xs text-muted"
                >
                  {key === "mod" ? "Ctrl" : key.length === 1 ? key.toUpperCase() : key}
                </kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
