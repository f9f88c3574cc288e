import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { Category, WorkloadPlan } from "@/api/types";
import { Sha } from "@/components/commit";
import { Pick } from "@/components/field";
import { Words } from "@/components/words";
import { plural, repositoryName } from "@/lib/format";

interface Props {
  plan: WorkloadPlan;
  category: Category;
  onCategory: (category: Category) => void;
}

/** What was read from the repository and the config file. */
export function PlanView({ plan, category, onCategory }: Props) {
  return (
    <>
      <dl className="grid grid-cols-[5.5rem_1fr] gap-x-3 sm:grid-cols-[7rem_1fr] sm:gap-x-4 sm:gap-y-2">
        <Row name="Name">
          <span className="font-medium wrap-anywhere">{plan.name}</span>
        </Row>
        <Row name="Type">{plan.workload_type}</Row>
        <Row name="Project">{plan.project}</Row>
        <Row name="Namespace">{plan.namespace}</Row>
        <Row name="Pods">
          {plan.replicas == null
            ? "As the config file's defaults say"
            : plural(plan.replicas, "pod")}
          {plan.port != null && `, listening on port ${plan.port}`}
        </Row>
        <Row name="Read from">
          <span className="wrap-anywhere">{repositoryName(plan.repository)}</span>
          <span className="flex min-w-0 flex-wrap items-baseline gap-x-2 text-muted">
            <code className="font-mono text-xs wrap-anywhere">{plan.config}</code>
            <span>
              {plan.branch} at <Sha commit={plan.commit} />
            </span>
          </span>
        </Row>
        <Row name="Builds">
          {plan.builds.length === 0 && <span className="text-muted">No image of its own</span>}
          {plan.builds.map((image) => (
            <span key={image.name} className="block break-words">
              <code className="font-mono text-xs">{image.name}</code>
              <span className="text-muted"> from </span>
              <code className="font-mono text-xs">{image.dockerfile}</code>
            </span>
          ))}
        </Row>
        {plan.external_images.length > 0 && (
          <Row name="Uses as is">
            {plan.external_images.map((image) => (
              <code key={image} className="block font-mono text-xs wrap-anywhere">
                {image}
              </code>
            ))}
          </Row>
        )}
        <Row name="Category">
          <Pick
            label="Category"
            value={category}
            options={[
              { value: "Production", label: "Production" },
              { value: "Non-Production", label: "Non-Production" },
            ]}
            onChange={(value) => onCategory(value as Category)}
            className="w-44"
          />
        </Row>
      </dl>
      {plan.warnings.length > 0 && (
        <ul className="mt-4 flex flex-col gap-1.5 border-t pt-3">
          {plan.warnings.map((warning) => (
            <li key={warning} className="flex gap-2">
              <TriangleAlert className="mt-0.5 size-4 shrink-0 text-waiting" aria-hidden />
              <span className="min-w-0 break-words">
                <span className="sr-only">Warning: </span>
                <Words text={warning} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="leading-8 text-faint">{name}</dt>
      <dd className="min-w-0 py-1.5">{children}</dd>
    </>
  );
}
