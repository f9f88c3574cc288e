import { Link } from "@tanstack/react-router";
import { ExternalLink, Rocket } from "lucide-react";
import { type ReactNode, useCallback, useState } from "react";
import type { Preview, PullRequest, Workload } from "@/api/types";
import { BadWords } from "@/components/bad-mark";
import { Button } from "@/components/button";
import { Sha } from "@/components/commit";
import { Facts } from "@/components/facts";
import { DeployStatus, Status } from "@/components/status";
import { Ago, Took } from "@/components/time";
import { Words } from "@/components/words";
import { plural, safeHref, shortSha } from "@/lib/format";
import { hasPreview, isBehind, needsAllowing, previewLook, runsOnce, sleeps } from "@/lib/previews";
import { AllowSection } from "./allow";
import { DeployPullDialog, RemovePreviewDialog, RunPullDialog } from "./dialogs";
import { ShareDialog } from "./share-dialog";
import { useSleep } from "./use-sleep";

type Asking = "deploy" | "share" | "run" | "remove";

interface Props {
  workload: Workload;
  pull: PullRequest;
}

/** What it is first, then whether it may be deployed, then its preview. */
export function PullRequestView({ workload, pull }: Props) {
  const [asking, setAsking] = useState<Asking | null>(null);
  const close = useCallback(() => setAsking(null), []);
  const href = safeHref(pull.html_url);
  const preview = hasPreview(pull) ? pull.preview : null;
  const mayDeploy = pull.state === "open" && !needsAllowing(pull);
  const first = preview === null || isBehind(pull);
  const dialog = { workload, pull, onClose: close };
  return (
    <>
      <header className="page-x flex flex-wrap items-start gap-x-6 gap-y-3 pt-2 pb-4">
        <div className="min-w-0 flex-1 basis-80">
          <h2 className="text-lg font-semibold wrap-anywhere">
            <span className="nums font-normal text-faint">#{pull.number}</span> {pull.title}
          </h2>
          <Facts className="mt-0.5">
            {pull.state !== "open" && (
              <span>{pull.state === "merged" ? "merged" : "closed without being merged"}</span>
            )}
            <span>by {pull.author}</span>
            <span>
              <code className="font-mono text-xs wrap-anywhere">{pull.head_branch}</code> into{" "}
              <code className="font-mono text-xs wrap-anywhere">{pull.base_branch}</code>
            </span>
            <span>
              newest commit <Sha commit={pull.head} />
            </span>
            {pull.from_fork && <span>from a fork</span>}
            {pull.from_fork && pull.allowed_by && (
              <span>
                <Sha commit={pull.head} /> allowed by {pull.allowed_by}
              </span>
            )}
            {href && (
              <a href={href} target="_blank" rel="noreferrer" className="link">
                See it in the forge
              </a>
            )}
          </Facts>
        </div>
        {mayDeploy && (
          <Button
            look={first ? "primary" : "plain"}
            icon={<Rocket className="size-3.5" aria-hidden />}
            onClick={() => setAsking("deploy")}
            className="max-sm:w-full"
          >
            Deploy <span className="font-mono text-xs">{shortSha(pull.head)}</span>
            {preview && !first && " again"}
          </Button>
        )}
      </header>
      {needsAllowing(pull) && pull.state === "open" && (
        <AllowSection workload={workload.name} pull={pull} />
      )}
      {preview ? (
        <PreviewSection workload={workload} pull={pull} preview={preview} onAsk={setAsking} />
      ) : (
        <section aria-label="Preview" className="page-x border-t py-4">
          <h3 className="font-medium">No preview</h3>
          <p className="mt-0.5 max-w-prose text-muted">{whyNone(workload, pull)}</p>
        </section>
      )}
      {asking === "deploy" && <DeployPullDialog {...dialog} />}
      {asking === "run" && <RunPullDialog {...dialog} />}
      {asking === "remove" && <RemovePreviewDialog {...dialog} />}
      {asking === "share" && preview && <ShareDialog {...dialog} preview={preview} />}
    </>
  );
}

function whyNone({ name, previews, workload_type }: Workload, pull: PullRequest): string {
  if (pull.state !== "open") return "Only open pull requests have one.";
  if (needsAllowing(pull)) return "It gets one once its newest commit is allowed.";
  if (runsOnce(workload_type)) return `Each deploy of it runs once, beside ${name}.`;
  const days = previews?.expiry_days ?? 7;
  return `Deployed, it gets an instance of its own beside ${name}. It is removed when the pull request is closed or merged, and when nobody uses it for ${plural(days, "day")}.`;
}

interface SectionProps extends Props {
  preview: Preview;
  onAsk: (what: Asking) => void;
}

function PreviewSection({ workload, pull, preview, onAsk }: SectionProps) {
  const sleep = useSleep(workload.name, pull.number);
  const url = safeHref(preview.url);
  const { deploy } = preview;
  const going = preview.state === "removing";
  const asleep = preview.state === "sleeping";
  const cron = workload.workload_type === "PinterestCronJob";
  return (
    <section
      aria-label="Preview"
      className="page-x flex flex-wrap items-start gap-x-6 gap-y-3 border-t py-4"
    >
      <div className="min-w-0 flex-1 basis-80">
        <h3 className="sr-only">Preview</h3>
        <div className="flex flex-wrap items-center gap-x-3 font-medium">
          <Status look={previewLook(pull)} />
          {!asleep && !going && sleeps(workload.workload_type) && (
            <span className="nums">
              {preview.pods_ready} of {plural(preview.replicas, "pod")} ready
            </span>
          )}
        </div>
        {url && !going && (
          <p className="mt-1">
            <a
              href={url}
              target="_blank"
              rel="noreferrer"
              className="link-accent font-mono text-xs wrap-anywhere"
            >
              {url}
            </a>
          </p>
        )}
        {!url && sleeps(workload.workload_type) && (
          <p className="mt-1 max-w-prose text-muted">
            It has no address: its containers name no port, or this server has no preview gateway (
            <code className="font-mono text-xs">--preview-listen</code>,{" "}
            <code className="font-mono text-xs">--preview-url</code>).
          </p>
        )}
        <dl className="mt-2 grid max-w-xl grid-cols-[auto_1fr] gap-x-6 gap-y-1">
          <Fact name="Commit">
            <Sha commit={preview.commit} className="text-text!" />
            {preview.bad && <BadWords bad={preview.bad} />}
            {isBehind(pull) && (
              <span className="text-waiting">
                {" "}
                The newer <Sha commit={pull.head} /> is not deployed
                {needsAllowing(pull) ? ": nobody has allowed it" : ""}.
              </span>
            )}
          </Fact>
          {deploy && (
            <Fact name="Deploy">
              <Link
                to="/deploys/$id"
                params={{ id: String(deploy.id) }}
                className="link nums mr-2 font-medium"
              >
                #{deploy.id}
              </Link>
              <span className="inline-flex align-bottom">
                <DeployStatus state={deploy.state} />
              </span>
              <span className="ml-2 text-muted">
                by {deploy.requested_by} <Ago at={deploy.created_at} />, took{" "}
                <Took startedAt={deploy.created_at} finishedAt={deploy.finished_at} />
              </span>
              {deploy.state === "failed" && (
                <p className="break-words text-failed">
                  <Words text={deploy.message} />{" "}
                  <Link
                    to="/deploys/$id/receipt"
                    params={{ id: String(deploy.id) }}
                    className="link-accent"
                  >
                    See the receipt
                  </Link>
                </p>
              )}
            </Fact>
          )}
          <Fact name="Last used">
            <Ago at={preview.last_used_at} />
          </Fact>
          {preview.sleeps_at && !asleep && !going && (
            <Fact name="Sleeps">
              <Ago at={preview.sleeps_at} />, unless somebody visits it
            </Fact>
          )}
          {asleep && <Fact name="Wakes">at the next visit</Fact>}
          {going ? (
            <Fact name="Removed">
              <Words text={preview.removed_why ?? "being taken out of the cluster"} />
            </Fact>
          ) : (
            <Fact name="Removed">
              <Ago at={preview.expires_at} />, unless somebody uses it
            </Fact>
          )}
          {url && (
            <Fact name="Access">
              {preview.shared
                ? "Who is signed in, and whoever has the shared link"
                : "Who is signed in"}
            </Fact>
          )}
        </dl>
      </div>
      {!going && (
        <div className="flex flex-wrap gap-2 max-sm:w-full">
          {url && (
            <Button asChild className="max-sm:flex-1">
              <a href={url} target="_blank" rel="noreferrer">
                <ExternalLink className="size-3.5" aria-hidden />
                Open
              </a>
            </Button>
          )}
          {cron && (
            <Button onClick={() => onAsk("run")} className="max-sm:flex-1">
              Run once
            </Button>
          )}
          {sleeps(workload.workload_type) && (
            <Button
              busy={sleep.isPending}
              onClick={() => sleep.mutate(!asleep)}
              className="max-sm:flex-1"
            >
              {asleep ? "Wake" : "Let it sleep"}
            </Button>
          )}
          {url && (
            <Button onClick={() => onAsk("share")} className="max-sm:flex-1">
              Share
            </Button>
          )}
          <Button look="danger" onClick={() => onAsk("remove")} className="max-sm:flex-1">
            Remove the preview
          </Button>
        </div>
      )}
    </section>
  );
}

const Fact = ({ name, children }: { name: string; children: ReactNode }) => (
  <>
    <dt className="text-muted">{name}</dt>
    <dd className="min-w-0 break-words">{children}</dd>
  </>
);
