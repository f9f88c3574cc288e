import type { End, EndKind } from "@/lib/span";
import { Field, Pick } from "./field";

interface Props {
  /** What lasts: "How long it holds". */
  label: string;
  /** The choice without an end. */
  open: string;
  end: End;
  onChange: (end: End) => void;
  wrong: string | null;
}

/** No end, after a time, or at a time. */
export function EndField({ label, open, end, onChange, wrong }: Props) {
  return (
    <div>
      <p className="mb-1 font-medium">{label}</p>
      <Pick
        label={label}
        value={end.kind}
        options={[
          { value: "open", label: open },
          { value: "for", label: "For a time" },
          { value: "until", label: "Until a time" },
        ]}
        onChange={(kind) => onChange({ kind: kind as EndKind, text: kind === "for" ? "2h" : "" })}
        className="max-w-72"
      />
      {end.kind !== "open" && (
        <Field
          label={end.kind === "for" ? "For" : "Until"}
          type={end.kind === "for" ? "text" : "datetime-local"}
          help={wrong ?? (end.kind === "for" ? "Such as 30m, 2h or 1d 12h" : "By your clock")}
          invalid={wrong !== null && end.text !== ""}
          value={end.text}
          onChange={(event) => onChange({ ...end, text: event.target.value })}
          className="mt-3 max-w-72"
        />
      )}
    </div>
  );
}
