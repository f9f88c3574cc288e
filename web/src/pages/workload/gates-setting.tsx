import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/client";
import { gatesQuery, keys } from "@/api/queries";
import type { Workload } from "@/api/types";
import { Button } from "@/components/button";
import { ProblemView } from "@/components/problem";
import { Bone, Loading } from "@/components/skeleton";
import { Ago } from "@/components/time";
import { toastProblem } from "@/components/toast";
import { checkWords, gateWords } from "@/lib/gates";
import { GatesDialog } from "./gates-dialog";
import { Setting } from "./setting";

/** What must be true of a new version before its deploy succeeds. */
export function GatesSetting({ workload }: { workload: Workload }) {
  const { name } = workload;
  const client = useQueryClient();
  const { data: gates, error, refetch } = useQuery(gatesQuery(name));
  const [editing, setEditing] = useState(false);
  const clear = useMutation({
    mutationFn: () => api.clearGates(name),
    onSuccess: (saved) => client.setQueryData(keys.gates(name), saved),
    onError: (refused) => toastProblem("The gates are as they were", refused),
  });
  return (
    <Setting name="Health gates" help="What must be true before a deploy succeeds">
      {error && !gates && <ProblemView error={error} onRetry={() => refetch()} />}
      {!error && !gates && (
        <>
          <Loading what="the gates" />
          <Bone className="w-56" />
        </>
      )}
      {gates && (
        <>
          {gates.is_default && <p className="text-muted">Nothing is set. What holds without:</p>}
          {gateWords(gates).map((words) => (
            <p key={words}>{words}.</p>
          ))}
          {gates.checks?.map((check) => (
            <p key={check.name} className="break-words">
              {check.name}: <code className="font-mono text-xs wrap-anywhere">{check.query}</code>{" "}
              {checkWords(check)}
            </p>
          ))}
          {gateWords(gates).length === 0 && (gates.checks ?? []).length === 0 && (
            <p>Ready is enough.</p>
          )}
          {gates.changed_by && (
            <p className="text-muted">
              Set by {gates.changed_by} <Ago at={gates.changed_at} />
            </p>
          )}
          <div className="mt-2 flex flex-wrap gap-2">
            <Button onClick={() => setEditing(true)}>Change the gates</Button>
            {!gates.is_default && (
              <Button busy={clear.isPending} onClick={() => clear.mutate()}>
                Clear
              </Button>
            )}
          </div>
          {editing && <GatesDialog name={name} gates={gates} onClose={() => setEditing(false)} />}
        </>
      )}
    </Setting>
  );
}
