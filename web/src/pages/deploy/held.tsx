import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { meQuery } from "@/api/queries";
import type { Deploy } from "@/api/types";
import { Button } from "@/components/button";
import { Held } from "@/components/held";
import { heldNow, whyNotApprove } from "@/lib/held";
import { AnswerDialog } from "./answer-dialog";

/** What the deploy waits for, and the two answers where it waits for people. */
export function HeldSection({ deploy }: { deploy: Deploy }) {
  const { data: me } = useQuery(meQuery);
  const [answer, setAnswer] = useState<"approve" | "reject" | null>(null);
  const held = heldNow(deploy);
  if (!held) return null;
  const { approvals } = held;
  const waiting = approvals && approvals.given.length < approvals.needed;
  const why = waiting && me ? whyNotApprove(deploy, approvals, me) : null;
  return (
    <section aria-label="What it waits for" className="page-x pb-4">
      <Held held={held} titled={deploy.paused_by != null}>
        {why && <p className="mt-2 text-muted">{why}</p>}
        {approvals && (
          <div className="mt-2.5 flex flex-wrap gap-2">
            {waiting && why === null && (
              <Button look="primary" onClick={() => setAnswer("approve")}>
                Approve deploy {deploy.id}
              </Button>
            )}
            <Button look="danger" onClick={() => setAnswer("reject")}>
              Reject
            </Button>
          </div>
        )}
      </Held>
      {answer && <AnswerDialog deploy={deploy} answer={answer} onClose={() => setAnswer(null)} />}
    </section>
  );
}
