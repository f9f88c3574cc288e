import { useState } from "react";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { MetricCheck, WorkloadGates } from "@/api/types";
import { useChange } from "@/api/use-change";
import { Check, Field, NumberField, Pick } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { AddRow, RowFields, useFormRows } from "@/components/form-rows";
import { limitText, parseLimit } from "@/lib/gates";
import { wholeNumber, wrongNumber } from "@/lib/number";

interface Props {
  name: string;
  gates: WorkloadGates;
  onClose: () => void;
}

interface Written {
  name: string;
  query: string;
  comparison: MetricCheck["comparison"];
  limit: string;
  seconds: string;
}

const COMPARISONS = ["<", "<=", ">", ">="] as const;
const MOST_CHECKS = 10;
const MOST_SECONDS = 3_600;
const EMPTY: Written = { name: "", query: "", comparison: "<", limit: "", seconds: "60" };

const rowOf = (check: MetricCheck): Written => ({
  name: check.name,
  query: check.query,
  comparison: check.comparison,
  limit: limitText(check),
  seconds: String(check.for_seconds ?? 0),
});

const PODS = (
  <>
    <code className="font-mono">$pods</code> stands for the version's pods, such as a canary's:{" "}
    <code className="font-mono">{'up{pod=~"$pods"}'}</code>
  </>
);

/** The check of a row; null while something is missing. */
function checkOf(row: Written): MetricCheck | null {
  const limit = parseLimit(row.limit);
  const seconds = wholeNumber(row.seconds);
  if (row.name.trim() === "" || row.query.trim() === "" || !limit || seconds === null) return null;
  return {
    name: row.name.trim(),
    query: row.query.trim(),
    comparison: row.comparison,
    for_seconds: seconds,
    ...limit,
  };
}

const wrongLimit = (limit: string): string | undefined =>
  limit !== "" && parseLimit(limit) === null ? "0.5 or 120%" : undefined;

export function GatesDialog({ name, gates, onClose }: Props) {
  const [ready, setReady] = useState(String(gates.ready_seconds ?? 0));
  const [restarts, setRestarts] = useState(String(gates.max_restarts ?? ""));
  const [rollback, setRollback] = useState(gates.auto_rollback ?? false);
  const { rows, change, add, remove } = useFormRows(() => (gates.checks ?? []).map(rowOf));
  const seconds = wholeNumber(ready);
  const most = restarts.trim() === "" ? undefined : wholeNumber(restarts);
  const wrongReady = wrongNumber(ready, 0, MOST_SECONDS);
  const checks = rows.map(checkOf).filter((check) => check !== null);
  const save = useChange(
    onClose,
    () =>
      api.setGates(name, {
        ready_seconds: seconds ?? 0,
        max_restarts: most,
        auto_rollback: rollback,
        checks,
      }),
    (client, saved) => client.setQueryData(keys.gates(name), saved),
  );
  return (
    <FormDialog
      title={`Health gates of ${name}`}
      action="Set the gates"
      wide
      ready={wrongReady === null && most !== null && checks.length === rows.length}
      ask={save}
      onClose={onClose}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        <NumberField
          data-first
          label="Seconds that all pods stay ready"
          wrong={wrongReady}
          value={ready}
          onChange={setReady}
        />
        <NumberField
          label="Most restarts"
          help="Any number when empty"
          wrong={most === null ? "A whole number, or nothing" : null}
          value={restarts}
          onChange={setRestarts}
        />
      </div>
      <Check
        label="Roll a deploy that fails back by itself"
        checked={rollback}
        onChange={setRollback}
      />
      {rows.map((row, index) => (
        <RowFields
          key={row.id}
          name={`metric ${row.name || index + 1}`}
          onRemove={() => remove(row.id)}
          above={
            <>
              <Field
                label="Metric"
                placeholder="errors"
                maxLength={60}
                value={row.name}
                onChange={(event) => change(row.id, { name: event.target.value })}
              />
              <Field
                label="Prometheus query"
                help={PODS}
                mono
                maxLength={2000}
                value={row.query}
                onChange={(event) => change(row.id, { query: event.target.value })}
              />
            </>
          }
        >
          <Pick
            label="Comparison"
            value={row.comparison}
            options={COMPARISONS.map((value) => ({ value, label: value }))}
            onChange={(value) =>
              change(row.id, { comparison: COMPARISONS.find((it) => it === value) ?? "<" })
            }
            className="w-20"
          />
          <Field
            label="Limit"
            placeholder="0.5 or 120%"
            help={wrongLimit(row.limit)}
            invalid={wrongLimit(row.limit) !== undefined}
            value={row.limit}
            onChange={(event) => change(row.id, { limit: event.target.value })}
            className="w-32"
          />
          <NumberField
            label="Seconds"
            wrong={wholeNumber(row.seconds) === null ? "A whole number" : null}
            value={row.seconds}
            onChange={(seconds) => change(row.id, { seconds })}
            className="w-24"
          />
        </RowFields>
      ))}
      {gates.has_prometheus ? (
        <AddRow label="Add a metric" full={rows.length >= MOST_CHECKS} onAdd={() => add(EMPTY)} />
      ) : (
        <p className="text-muted">
          This server knows no Prometheus, so metrics cannot be checked: it needs{" "}
          <code className="font-mono text-xs">--prometheus-url</code>.
        </p>
      )}
    </FormDialog>
  );
}
