import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { keys } from "@/api/queries";
import type { CanaryStep, Wave, WorkloadStrategy } from "@/api/types";
import { Button } from "@/components/button";
import { Check, Field } from "@/components/field";
import { FormDialog } from "@/components/form-dialog";
import { wholeNumber } from "@/lib/scale";

interface Props {
  name: string;
  kind: string;
  strategy: WorkloadStrategy;
  onClose: () => void;
}

interface StepRow {
  id: number;
  percent: string;
  seconds: string;
  wait: boolean;
}

interface WaveRow {
  id: number;
  clusters: string;
  seconds: string;
}

const MOST = 10;

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

const nextId = (rows: { id: number }[]): number => Math.max(0, ...rows.map((it) => it.id)) + 1;

export function StrategyDialog({ name, kind, strategy, onClose }: Props) {
  const client = useQueryClient();
  const [steps, setSteps] = useState<StepRow[]>(() =>
    (strategy.canary ?? []).map((step, id) => ({
      id,
      percent: String(step.percent),
      seconds: String(step.seconds ?? 0),
      wait: step.wait ?? false,
    })),
  );
  const [waves, setWaves] = useState<WaveRow[]>(() =>
    (strategy.waves ?? []).map((wave, id) => ({
      id,
      clusters: wave.clusters.join(", "),
      seconds: String(wave.bake_seconds ?? 0),
    })),
  );
  const canary = steps.map(stepOf).filter((step) => step !== null);
  const clusters = waves.map(waveOf).filter((wave) => wave !== null);
  const save = useMutation({
    mutationFn: () => api.setStrategy(name, { canary, waves: clusters }),
    onSuccess: (saved) => {
      client.setQueryData(keys.strategy(name), saved);
      onClose();
    },
  });
  const changeStep = (id: number, part: Partial<StepRow>) =>
    setSteps(steps.map((row) => (row.id === id ? { ...row, ...part } : row)));
  const changeWave = (id: number, part: Partial<WaveRow>) =>
    setWaves(waves.map((row) => (row.id === id ? { ...row, ...part } : row)));
  const known = strategy.known_clusters;
  return (
    <FormDialog
      title={`Rollout strategy of ${name}`}
      action="Set the strategy"
      wide
      ready={canary.length === steps.length && clusters.length === waves.length}
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
      {steps.map((row, index) => (
        <fieldset key={row.id} className="flex flex-wrap items-end gap-3">
          <legend className="sr-only">Canary {index + 1}</legend>
          <Field
            data-first={index === 0 ? true : undefined}
            label="Percent of the pods"
            inputMode="numeric"
            invalid={row.percent !== "" && stepOf(row) === null}
            value={row.percent}
            onChange={(event) => changeStep(row.id, { percent: event.target.value })}
            className="w-36"
          />
          <Field
            label="Seconds to do well"
            inputMode="numeric"
            value={row.seconds}
            onChange={(event) => changeStep(row.id, { seconds: event.target.value })}
            className="w-36"
          />
          <Check
            label="Wait for somebody"
            checked={row.wait}
            onChange={(wait) => changeStep(row.id, { wait })}
          />
          <Button
            look="danger"
            onClick={() => setSteps(steps.filter((other) => other.id !== row.id))}
          >
            Remove
          </Button>
        </fieldset>
      ))}
      {kind === "PinterestService" && (
        <Button
          className="self-start"
          disabled={steps.length >= MOST}
          onClick={() =>
            setSteps([...steps, { id: nextId(steps), percent: "10", seconds: "60", wait: false }])
          }
        >
          Add a step
        </Button>
      )}
      <h3 className="border-t pt-3 font-medium">Waves of clusters</h3>
      <p className="text-muted wrap-anywhere">
        {known.length > 1
          ? `This server knows ${known.join(", ")}.`
          : "This server knows its own cluster alone; it is told of others by --cluster."}
      </p>
      {waves.map((row, index) => (
        <fieldset key={row.id} className="flex flex-wrap items-end gap-3">
          <legend className="sr-only">Wave {index + 1}</legend>
          <Field
            label={`Clusters of wave ${index + 1}`}
            placeholder={known.join(", ")}
            value={row.clusters}
            onChange={(event) => changeWave(row.id, { clusters: event.target.value })}
            className="min-w-40 flex-1"
          />
          <Field
            label="Seconds to bake"
            inputMode="numeric"
            value={row.seconds}
            onChange={(event) => changeWave(row.id, { seconds: event.target.value })}
            className="w-36"
          />
          <Button
            look="danger"
            onClick={() => setWaves(waves.filter((other) => other.id !== row.id))}
          >
            Remove
          </Button>
        </fieldset>
      ))}
      <Button
        className="self-start"
        disabled={waves.length >= Math.min(MOST, known.length)}
        onClick={() =>
          setWaves([
            ...waves,
            { id: nextId(waves), clusters: known[waves.length] ?? "", seconds: "0" },
          ])
        }
      >
        Add a wave
      </Button>
    </FormDialog>
  );
}
