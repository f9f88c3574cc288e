import { clsx } from "clsx";
import type { ChangedCommit, DeployComparison } from "@/api/types";
import { Sha } from "@/components/commit";
import { ScrollText } from "@/components/scroll-text";
import { plural } from "@/lib/format";

const digest = (reference: string | null | undefined): string =>
  reference?.split("@")[1]?.slice(0, 19) ?? "–";

type Change = Pick<
  DeployComparison,
  "coming" | "leaving" | "more_commits" | "images" | "manifest_diff" | "missing"
>;

/** What lies between two deploys: commits, images, manifests. */
export function Comparison({ change }: { change: Change }) {
  return (
    <div className="flex flex-col gap-4">
      <Commits title="leave" commits={change.leaving} />
      <Commits title="come" commits={change.coming} />
      {change.more_commits && <p className="text-muted">There are more commits than listed.</p>}
      {change.images.length > 0 && (
        <section aria-label="Images">
          <h3 className="font-medium">Images</h3>
          <ul className="mt-1 flex flex-col gap-0.5">
            {change.images.map((image) => (
              <li key={image.name} className="min-w-0 wrap-anywhere">
                {image.name}{" "}
                <code className="font-mono text-xs text-muted">
                  {digest(image.from)} → {digest(image.to)}
                </code>
              </li>
            ))}
          </ul>
        </section>
      )}
      {change.missing.map((missing) => (
        <p key={missing} className="break-words text-muted">
          Not known: {missing}
        </p>
      ))}
      <section aria-label="Manifest">
        <h3 className="font-medium">Manifest</h3>
        {change.manifest_diff === "" ? (
          <p className="mt-1 text-muted">
            {change.missing.length > 0 ? "It cannot be compared." : "It stays the same."}
          </p>
        ) : (
          <Diff text={change.manifest_diff} />
        )}
      </section>
    </div>
  );
}

function Commits({ title, commits }: { title: string; commits: ChangedCommit[] }) {
  if (commits.length === 0) return null;
  return (
    <section aria-label={`Commits that ${title}`}>
      <h3 className="font-medium">
        {plural(commits.length, "commit")} {commits.length === 1 ? `${title}s` : title}
      </h3>
      <ul className="mt-1 flex flex-col gap-0.5">
        {commits.map((commit) => (
          <li key={commit.id} className="flex min-w-0 items-baseline gap-2">
            <Sha commit={commit.id} />
            <span className="min-w-0 flex-1 truncate" title={commit.title}>
              {commit.title}
            </span>
            <span className="max-w-2/5 shrink-0 truncate text-muted" title={commit.author}>
              {commit.author}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The two lines at the top name what is compared; they are no change. */
const diffLook = (line: string, index: number): string | undefined => {
  if (line.startsWith("@@") || (index < 2 && /^(---|\+\+\+) /.test(line))) return "text-muted";
  if (line.startsWith("+")) return "text-ok";
  return line.startsWith("-") ? "text-failed" : undefined;
};

/** A unified diff. The signs say what the colours say. */
function Diff({ text }: { text: string }) {
  const lines = text.replace(/\n$/, "").split("\n");
  return (
    <ScrollText label="Changes of the manifest">
      {lines.map((line, index) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: lines of one text, which never moves
          key={index}
          className={clsx("block", diffLook(line, index))}
        >
          {line === "" ? " " : line}
        </span>
      ))}
    </ScrollText>
  );
}
