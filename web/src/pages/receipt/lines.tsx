import type { FailedContainer, ReceiptLine } from "@/api/types";
import { Facts } from "@/components/facts";
import { LogText } from "@/components/log/line";
import { ScrollText } from "@/components/scroll-text";
import { plural } from "@/lib/format";

/** A container that failed, with the last that it wrote. */
export function LastLines({ failed }: { failed: FailedContainer }) {
  const name = `${failed.pod}/${failed.container}`;
  return (
    <section aria-label={`Container ${name}`} className="page-x pb-4">
      <h2 className="font-medium">
        Last lines of <span className="font-mono text-xs break-all">{name}</span>
      </h2>
      <Facts>
        <span>{failed.state}</span>
        {failed.exit_code != null && <span>exit code {failed.exit_code}</span>}
        {failed.restarts > 0 && <span>{plural(failed.restarts, "restart")}</span>}
        {failed.gone && <span>the pod was gone already</span>}
      </Facts>
      {failed.lines.length > 0 ? (
        <Lines label={`Last lines of ${name}`} lines={failed.lines} />
      ) : (
        <p className="mt-1 break-words text-muted">{failed.message ?? "It wrote nothing."}</p>
      )}
    </section>
  );
}

/** Lines of a log, oldest first, as they were written. */
export function Lines({ label, lines }: { label: string; lines: ReceiptLine[] }) {
  return (
    <ScrollText label={label}>
      {lines.map((line, index) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: lines of one text, which never moves
          key={index}
          className="block break-words whitespace-pre-wrap"
          title={line.at ?? undefined}
        >
          {line.text === "" ? " " : <LogText text={line.text} search="" />}
        </span>
      ))}
    </ScrollText>
  );
}
