import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useCallback, useState } from "react";
import { scaleQuery, workloadQuery } from "@/api/queries";
import type { ScaleStatus } from "@/api/types";
import { Button } from "@/components/button";
import { Facts } from "@/components/facts";
import { ProblemView } from "@/components/problem";
import { BoneLine, Loading } from "@/components/skeleton";
import { Status } from "@/components/status";
import { Ago } from "@/components/time";
import { Words } from "@/components/words";
import { plural } from "@/lib/format";
import { autoscalingWords, CHANGE, OWNER, tellsLast } from "@/lib/scale";
import { ScaleChanges } from "./scale-changes";
import { AutoscalingDialog, BoundsDialog, ReleaseDialog, ScaleDialog } from "./scale-dialogs";

type Asking = "scale" | "zero" | "file" | "load" | "bounds";

/** How many pods, who says so, and the ways to change it. */
export function ScaleTab() {
  const { name } = useParams({ from: "/app/workloads/$name" });
  const { data: workload } = useQuery(workloadQuery(name));
  const { data: scale, error, refetch } = useQuery(scaleQuery(name));
  const [asking, setAsking] = useState<Asking | null>(null);
  const close = useCallback(() => setAsking(null), []);
  const props = workload && scale ? { workload, scale, onClose: close } : null;
  return (
    <>
      {error && <ProblemView error={error} onRetry={() => refetch()} className="page-x py-4" />}
      {!scale && !error && <ScaleSkeleton />}
      {scale && (
        <ScaleView
          scale={scale}
          byLoad={workload?.workload_type === "PinterestService"}
          onAsk={setAsking}
        />
      )}
      <ScaleChanges name={name} />
      {props && asking === "scale" && <ScaleDialog {...props} />}
      {props && asking === "zero" && <ScaleDialog {...props} to={0} />}
      {props && asking === "file" && <ReleaseDialog {...props} />}
      {props && asking === "load" && <AutoscalingDialog {...props} />}
      {props && asking === "bounds" && <BoundsDialog {...props} />}
    </>
  );
}

interface ViewProps {
  scale: ScaleStatus;
  /** Whether its kind can follow its load. */
  byLoad: boolean;
  onAsk: (what: Asking) => void;
}

export function ScaleView({ scale, byLoad, onAsk }: ViewProps) {
  const { owner, change, last_change: last, autoscaling, bounds } = scale;
  // The change itself says who, why and until when; the file has nothing more to say.
  const holds = change?.state === "active";
  const told =
    owner === "file" || (owner === "person" && change != null) || (owner === "autoscaler" && holds);
  return (
    <section aria-label="Scale" className="page-x flex flex-wrap items-start gap-x-8 gap-y-4 py-4">
      <div className="min-w-0 flex-1 basis-80">
        <p className="nums text-lg font-semibold">
          {scale.replicas == null
            ? "No number of pods"
            : scale.replicas === 0 && scale.ready === 0
              ? "Stopped: no pods"
              : `${scale.ready} of ${plural(scale.replicas, "pod")} ready`}
        </p>
        <p className="mt-1 break-words">
          <span className="font-medium">{OWNER[owner]} says how many.</span>
          {!told && (
            <>
              {" "}
              <Words text={scale.message} />
            </>
          )}
        </p>
        {autoscaling && <p className="mt-1 text-muted">By load: {autoscalingWords(autoscaling)}</p>}
        {change && (
          <div className={holds ? "mt-0.5" : "mt-2"}>
            {!holds && <Status look={CHANGE[change.state]} />}
            <Facts className={holds ? undefined : "mt-0.5"}>
              <span>by {change.by}</span>
              <Ago at={change.at} />
              {change.until && (
                <span>
                  ends <Ago at={change.until} />
                </span>
              )}
            </Facts>
            <p className="break-words">“{change.reason}”</p>
            {change.message && (
              <p className={change.state === "refused" ? "text-failed" : "text-muted"}>
                <Words text={change.message} />
              </p>
            )}
          </div>
        )}
        {last && tellsLast(scale) && (
          <p className="mt-2 break-words text-muted">
            Last change: <Words text={last.message} />
            {last.at && (
              <>
                , <Ago at={last.at} />
              </>
            )}
          </p>
        )}
        <p className="mt-2 text-muted">
          People may ask for {bounds.min.toLocaleString("en")} to {plural(bounds.max, "pod")}.
        </p>
        {!scale.scalable && (
          <p className="mt-2 break-words text-waiting">
            <Words text={scale.why_not ?? "The number of its pods cannot be changed."} />
          </p>
        )}
      </div>
      <div className="flex flex-wrap gap-2 max-sm:w-full">
        {scale.scalable && (
          <>
            {owner !== "file" && (
              <Button onClick={() => onAsk("file")} className="max-sm:flex-1">
                Back to the config file
              </Button>
            )}
            {scale.replicas !== 0 && (
              <Button look="danger" onClick={() => onAsk("zero")} className="max-sm:flex-1">
                Scale to zero
              </Button>
            )}
            {byLoad && (
              <Button onClick={() => onAsk("load")} className="max-sm:flex-1">
                Autoscaling
              </Button>
            )}
          </>
        )}
        <Button onClick={() => onAsk("bounds")} className="max-sm:flex-1">
          Bounds
        </Button>
        {scale.scalable && (
          <Button look="primary" onClick={() => onAsk("scale")} className="max-sm:flex-1">
            Scale by hand
          </Button>
        )}
      </div>
    </section>
  );
}

const ScaleSkeleton = () => (
  <div className="page-x py-4">
    <Loading what="the number of pods" />
    <BoneLine line="h-6" className="h-4! w-40" />
    <BoneLine line="mt-1 h-5" className="w-80 max-w-full" />
    <BoneLine line="mt-2 h-5" className="w-56" />
  </div>
);
