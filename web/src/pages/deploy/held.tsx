import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { meQuery, rulesQuery } from "@/api/queries";
import type { Deploy } from "@/api/types";
import { Button } from "@/components/button";
import { Held } from "@/components/held";
import { heldNow, whyNotApprove } from "@/lib/held";
import { ExceptButtons } from "@/pages/rules/except";
import { AnswerDialog } from "./answer-dialog";

/** What the deploy waits for, and the two answers where it waits for people. */
export function HeldSection({ deploy }: { deploy: Deploy }) {
  const { data: me } = useQuery(meQuery);
  const [answer, setAnswer] = useState<"approve" | "reject" | null>(null);
  const held = heldNow(deploy);
  // The rules name the freezes that an exception may be granted from, and all who may approve.
  const { data: rules } = useQuery({ ...rulesQuery(deploy.workload), enabled: held != null });
  if (!held) return null;
  const { approvals } = held;
  const waiting = approvals && approvals.given.length < approvals.needed;
  const both = [rules?.own.approvals, rules?.of_project.approvals];
  const why = waiting && me ? whyNotApprove(deploy, approvals, me, both) : null;
  return (
    <section aria-label="What it waits for" className="page-x pb-4">
      <Held held={held} titled={deploy.paused_by != null}>
        {why && <p className="mt-2 text-muted">{why}</p>}
        <div className="mt-2.5 flex flex-wrap gap-2 empty:hidden">
          {waiting && why === null && (
            <Button look="primary" onClick={() => setAnswer("approve")}>
              Approve deploy {deploy.id}
            </Button>
          )}
          {rules && (
            <ExceptButtons freezes={rules.freezes} workload={deploy.workload} deploy={deploy.id} />
          )}
          {approvals && (
            <Button look="danger" onClick={() => setAnswer("reject")}>
              Reject deploy {deploy.id}
            </Button>
          )}
        </div>
        <p className="mt-2">
          <Link
            to="/workloads/$name/settings"
            params={{ name: deploy.workload }}
            className="link-accent"
          >
            See the rules of {deploy.workload}
          </Link>
        </p>
      </Held>
      {answer && <AnswerDialog deploy={deploy} answer={answer} onClose={() => setAnswer(null)} />}
    </section>
  );
}
