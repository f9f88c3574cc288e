import { useState } from "react";
import { type End, type EndKind, endOf, NO_END } from "@/lib/span";
import { Field, Pick } from "./field";

/** How long something holds, as it is chosen; `until` is null where nothing ends it. */
export function useEnd(from: number | null = null) {
  const [end, setEnd] = useState(NO_END);
  const read = endOf(end, from ?? Date.now());
  const wrong = "wrong" in read ? read.wrong : null;
  const until = "until" in read ? read.until : null;
  return { until, wrong, field: { end, onChange: setEnd, wrong } };
}

interface Props {
  /** What lasts. */
  label?: string;
  /** The choice without an end. */
  open: string;
  end: End;
  onChange: (end: End) => void;
  wrong: string | null;
}

/** No end, after a time, or at a time. */
export function EndField({ label = "How long it holds", open, end, onChange, wrong }: Props) {
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
