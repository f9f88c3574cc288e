import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { CanaryStep, Wave, WorkloadStrategy } from "@/api/types";
import { useChange } from "@/api/use-change";
import { Check, Field, NumberField } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { AddRow, RowFields, useFormRows } from "@/components/form-rows";
import { wholeNumber, wrongNumber } from "@/lib/number";

interface Props {
  name: string;
  kind: string;
  strategy: WorkloadStrategy;
  onClose: () => void;
}

interface StepRow {
  percent: string;
  seconds: string;
  wait: boolean;
}

interface WaveRow {
  clusters: string;
  seconds: string;
}

const MOST = 10;

/** What a further step begins with: a canary grows. */
const more = (last: StepRow | undefined): string =>
  String(last ? Math.min(100, (wholeNumber(last.percent) || 2) * 5) : 10);

const stepOf = ({ percent, seconds, wait }: StepRow): CanaryStep | null => {
  const [share, time] = [wholeNumber(percent), wholeNumber(seconds || "0")];
  if (share === null || share < 1 || share > 100 || time === null) return null;
  return { percent: share, seconds: time, wait };
};

const waveOf = ({ clusters, seconds }: WaveRow): Wave | null => {
  const names = clusters
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const bake = wholeNumber(seconds || "0");
  return names.length === 0 || bake === null ? null : { clusters: names, bake_seconds: bake };
};

const wrongSeconds = (text: string): string | null =>
  wholeNumber(text || "0") === null ? "A whole number" : null;

export function StrategyDialog({ name, kind, strategy, onClose }: Props) {
  const steps = useFormRows<StepRow>(() =>
    (strategy.canary ?? []).map((step) => ({
      percent: String(step.percent),
      seconds: String(step.seconds ?? 0),
      wait: step.wait ?? false,
    })),
  );
  const waves = useFormRows<WaveRow>(() =>
    (strategy.waves ?? []).map((wave) => ({
      clusters: wave.clusters.join(", "),
      seconds: String(wave.bake_seconds ?? 0),
    })),
  );
  const canary = steps.rows.map(stepOf).filter((step) => step !== null);
  const clusters = waves.rows.map(waveOf).filter((wave) => wave !== null);
  const save = useChange(
    onClose,
    () => api.setStrategy(name, { canary, waves: clusters }),
    (client, saved) => client.setQueryData(keys.strategy(name), saved),
  );
  const known = strategy.known_clusters;
  return (
    <FormDialog
      title={`Rollout strategy of ${name}`}
      action="Set the strategy"
      wide
      ready={canary.length === steps.rows.length && clusters.length === waves.rows.length}
      ask={save}
      onClose={onClose}
    >
      <h3 className="font-medium">Canary</h3>
      {kind === "PinterestService" ? (
        <p className="text-muted">
          A few pods of the new version beside the old ones, behind the same Service.
        </p>
      ) : (
        <p className="text-muted">A {kind} has no requests to share with a canary.</p>
      )}
      {steps.rows.map((row, index) => (
        <RowFields key={row.id} name={`canary ${index + 1}`} onRemove={() => steps.remove(row.id)}>
          <NumberField
            data-first={index === 0 ? true : undefined}
            label="Percent of the pods"
            wrong={wrongNumber(row.percent, 1, 100) && "From 1 to 100"}
            value={row.percent}
            onChange={(percent) => steps.change(row.id, { percent })}
            className="w-36"
          />
          <NumberField
            label="Seconds to do well"
            wrong={wrongSeconds(row.seconds)}
            value={row.seconds}
            onChange={(seconds) => steps.change(row.id, { seconds })}
            className="w-36"
          />
          <div className="flex h-8 items-center">
            <Check
              label="Wait for somebody"
              checked={row.wait}
              onChange={(wait) => steps.change(row.id, { wait })}
            />
          </div>
        </RowFields>
      ))}
      {kind === "PinterestService" && (
        <AddRow
          label="Add a step"
          full={steps.rows.length >= MOST}
          onAdd={() => steps.add({ percent: more(steps.rows.at(-1)), seconds: "60", wait: false })}
        />
      )}
      <h3 className="border-t pt-3 font-medium">Waves of clusters</h3>
      <p className="text-muted wrap-anywhere">
        {known.length > 1
          ? `This server knows ${known.join(", ")}.`
          : "This server knows its own cluster alone; it is told of others by --cluster."}
      </p>
      {waves.rows.map((row, index) => (
        <RowFields key={row.id} name={`wave ${index + 1}`} onRemove={() => waves.remove(row.id)}>
          <Field
            label={`Clusters of wave ${index + 1}`}
            placeholder={known.join(", ")}
            value={row.clusters}
            onChange={(event) => waves.change(row.id, { clusters: event.target.value })}
            className="min-w-40 flex-1"
          />
          <NumberField
            label="Seconds to bake"
            wrong={wrongSeconds(row.seconds)}
            value={row.seconds}
            onChange={(seconds) => waves.change(row.id, { seconds })}
            className="w-36"
          />
        </RowFields>
      ))}
      <AddRow
        label="Add a wave"
        full={waves.rows.length >= Math.min(MOST, known.length)}
        onAdd={() => waves.add({ clusters: known[waves.rows.length] ?? "", seconds: "0" })}
      />
    </FormDialog>
  );
}
