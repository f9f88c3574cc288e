import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { CircleX } from "lucide-react";
import type { ReactNode } from "react";
import { isMissing, problemOf } from "@/api/problem";
import { receiptQuery } from "@/api/queries";
import type { Receipt } from "@/api/types";
import { Button } from "@/components/button";
import { CommitLine } from "@/components/commit";
import { Comparison } from "@/components/comparison";
import { CopyButton } from "@/components/copy";
import { Empty } from "@/components/empty";
import { Facts } from "@/components/facts";
import { ProblemView } from "@/components/problem";
import { Bone, Loading } from "@/components/skeleton";
import { Ago, Took } from "@/components/time";
import { Words } from "@/components/words";
import { usePage } from "@/frame/page";
import { shortSha } from "@/lib/format";
import { causeWords, KIND } from "@/lib/status";
import { RevertSection } from "@/pages/revert/section";
import { Events } from "@/pages/workload/events";
import { LastLines, Lines } from "./lines";

/** Why a deploy failed: what a person needs at three in the morning, in that order. */
export function ReceiptPage() {
  const { id } = useParams({ from: "/app/deploys/$id/receipt" });
  const { data, error, refetch } = useQuery({
    ...receiptQuery(Number(id)),
    enabled: Number.isSafeInteger(Number(id)),
  });
  usePage(
    [
      { label: "Workloads", to: "/workloads" },
      ...(data ? [{ label: data.deploy.workload, to: `/workloads/${data.deploy.workload}` }] : []),
      { label: `Deploy ${id}`, to: `/deploys/${id}` },
      { label: "Receipt" },
    ],
    data ? `Why deploy ${id} of ${data.deploy.workload} failed` : undefined,
  );
  if (isMissing(error) || !Number.isSafeInteger(Number(id))) {
    const problem = error ? problemOf(error) : undefined;
    return (
      <Empty page title={`There is no receipt of deploy ${id}`}>
        <p className="text-muted">
          <Words text={problem?.detail ?? "Receipts have the number of a deploy that failed."} />
        </p>
        <Button asChild>
          <Link to="/deploys/$id" params={{ id }}>
            See deploy {id}
          </Link>
        </Button>
      </Empty>
    );
  }
  if (data) return <ReceiptView receipt={data} />;
  return (
    <div className="page-x flex flex-col gap-4 py-4">
      {error ? (
        <ProblemView error={error} onRetry={() => refetch()} />
      ) : (
        <>
          <Loading what="the receipt" />
          <Bone className="h-6 w-64" />
          <Bone className="h-24 w-full" />
          <Bone className="h-48 w-full" />
        </>
      )}
    </div>
  );
}

export function ReceiptView({ receipt }: { receipt: Receipt }) {
  const { deploy } = receipt;
  const ofManifest = receipt.missing.filter((it) => it.startsWith("the manifest"));
  const others = receipt.missing.filter((it) => !it.startsWith("the manifest"));
  return (
    <>
      <Head receipt={receipt} />
      <Why receipt={receipt} />
      {receipt.rolled_back_by != null && (
        <RevertSection
          rollback={receipt.rolled_back_by}
          workload={deploy.workload}
          left={deploy.id}
          revert={receipt.revert}
        />
      )}
      {receipt.containers.map((it) => (
        <LastLines key={`${it.pod}/${it.container}`} failed={it} />
      ))}
      {receipt.build_lines.length > 0 && (
        <Part title="Last lines of the build">
          <Lines label="Last lines of the build" lines={receipt.build_lines} />
        </Part>
      )}
      {receipt.compared_with != null && (
        <section aria-label="What came with it" className="page-x pb-2">
          <h2 className="pb-2 font-medium">
            Since{" "}
            <Link
              to="/deploys/$id"
              params={{ id: String(receipt.compared_with) }}
              className="link-accent underline"
            >
              deploy {receipt.compared_with}
            </Link>
            , the last one that succeeded
          </h2>
          {receipt.coming.length === 0 && receipt.leaving.length === 0 && (
            <p className="pb-2 text-muted">No commits came or left.</p>
          )}
          <Comparison change={{ ...receipt, missing: ofManifest }} />
        </section>
      )}
      <Events events={receipt.events} />
      {others.length > 0 && (
        <Part title="What is missing here">
          <ul className="mt-1 flex flex-col gap-0.5 text-muted">
            {others.map((missing) => (
              <li key={missing} className="break-words">
                <Words text={missing} />
              </li>
            ))}
          </ul>
        </Part>
      )}
      <p className="page-x pb-8 text-muted">
        Found <Ago at={receipt.gathered_at} />, when deploy {deploy.id} failed, and kept as it was.
        Secrets are masked.
      </p>
    </>
  );
}

const Part = ({ title, children }: { title: string; children: ReactNode }) => (
  <section aria-label={title} className="page-x pb-4">
    <h2 className="font-medium">{title}</h2>
    {children}
  </section>
);

function Head({ receipt }: { receipt: Receipt }) {
  const { deploy, rollback } = receipt;
  return (
    <header className="page-x flex flex-wrap items-start gap-x-6 gap-y-3 pt-4 pb-4">
      <div className="min-w-0 flex-1 basis-80">
        <h1 className="flex items-center gap-1 text-xl font-semibold tracking-tight">
          {causeWords(receipt.cause || "failed")}
          <CopyButton text={window.location.href} label="Copy the address of this receipt" />
        </h1>
        <div className="mt-1">
          <CommitLine commit={deploy.commit} title={deploy.title} />
        </div>
        <Facts className="mt-0.5">
          <Link
            to="/workloads/$name"
            params={{ name: deploy.workload }}
            className="link font-medium break-all"
          >
            {deploy.workload}
          </Link>
          <Link to="/deploys/$id" params={{ id: String(deploy.id) }} className="link">
            deploy {deploy.id}
          </Link>
          {deploy.kind !== "regular" && <span>{KIND[deploy.kind]}</span>}
          <span>commit by {deploy.author}</span>
          <span>asked for by {deploy.requested_by}</span>
          <Ago at={deploy.created_at} />
          <span>
            failed after <Took startedAt={deploy.created_at} finishedAt={deploy.finished_at} />
          </span>
        </Facts>
      </div>
      {rollback && receipt.is_current && (
        <Button asChild look="primary" className="max-sm:w-full">
          <Link
            to="/workloads/$name"
            params={{ name: deploy.workload }}
            search={{ rollback: String(rollback.deploy_id) }}
            title={rollback.title}
          >
            Roll back to <span className="font-mono text-xs">{shortSha(rollback.commit)}</span>
          </Link>
        </Button>
      )}
    </header>
  );
}

/** The cause in one sentence, and what to do about it. */
function Why({ receipt }: { receipt: Receipt }) {
  return (
    <section aria-label="Why it failed" className="page-x pb-4">
      <div className="flex gap-3 rounded-lg bg-failed-soft px-4 py-3">
        <CircleX className="mt-0.5 size-4 shrink-0 text-failed" aria-hidden />
        <div className="min-w-0 flex-1">
          <p className="break-words whitespace-pre-line">
            <Words text={receipt.sentence} />
          </p>
          <p className="mt-1.5 break-words">
            <span className="font-medium">Next: </span>
            <Words text={receipt.next_step} />
          </p>
          {!receipt.is_current && (
            <p className="mt-1.5 text-muted">
              {receipt.rolled_back_by == null ? (
                "This deploy is not what the cluster was last told to run."
              ) : (
                <>
                  It was rolled back by{" "}
                  <Link
                    to="/deploys/$id"
                    params={{ id: String(receipt.rolled_back_by) }}
                    className="link underline"
                  >
                    deploy {receipt.rolled_back_by}
                  </Link>
                  .
                </>
              )}
            </p>
          )}
        </div>
      </div>
    </section>
  );
}
