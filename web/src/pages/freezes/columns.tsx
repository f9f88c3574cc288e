import { Ellipsis } from "lucide-react";
import type { Freeze } from "@/api/types";
import { IconButton } from "@/components/button";
import { Menu, MenuItem } from "@/components/menu";
import { Status } from "@/components/status";
import type { Column } from "@/components/table";
import { Ago } from "@/components/time";
import { timeColumn } from "@/components/time-column";
import { exceptionWords, freezeLook, isOver } from "@/lib/freezes";

export interface FreezeActions {
  onEnd: (freeze: Freeze) => void;
  onExcept: (freeze: Freeze) => void;
}

const whatOf = (it: Freeze) => (it.project ? `project ${it.project}` : "everything");

export function freezeColumns(now: number, act: FreezeActions): Column<Freeze>[] {
  return [
    {
      id: "reason",
      header: "Freeze",
      cell: (it) => (
        <span className="block py-2 break-words">
          <span className="nums text-faint">#{it.id}</span> {it.reason}
          <span className="block text-xs text-muted md:hidden">
            {whatOf(it)}, by {it.by}
            <EndOf freeze={it} now={now} />
          </span>
        </span>
      ),
    },
    {
      id: "state",
      header: "State",
      className: "w-24 sm:w-28",
      cell: (it) => <Status look={freezeLook(it, now)} />,
    },
    {
      id: "of",
      header: "Holds",
      className: "w-40 max-md:hidden",
      cell: (it) => (
        <span className="block truncate text-muted first-letter:uppercase" title={whatOf(it)}>
          {whatOf(it)}
        </span>
      ),
    },
    {
      id: "by",
      header: "By",
      className: "w-32 max-lg:hidden",
      cell: (it) => <span className="block truncate text-muted">{it.by}</span>,
    },
    timeColumn({ id: "from", header: "From", at: (it) => it.from }),
    timeColumn({
      id: "until",
      header: "Until",
      none: "it is ended",
      at: (it) => it.ended_at ?? it.until,
    }),
    {
      id: "more",
      header: "More",
      right: true,
      quiet: true,
      className: "w-15",
      cell: (it) =>
        !isOver(it, now) && (
          <Menu
            label={`More for freeze ${it.id}`}
            align="end"
            trigger={
              <IconButton label={`More for freeze ${it.id}`} data-row-link className="-my-1 -mr-2">
                <Ellipsis />
              </IconButton>
            }
          >
            <MenuItem onSelect={() => act.onExcept(it)}>Grant an exception…</MenuItem>
            <MenuItem onSelect={() => act.onEnd(it)}>End freeze {it.id}…</MenuItem>
          </Menu>
        ),
    },
  ];
}

function EndOf({ freeze, now }: { freeze: Freeze; now: number }) {
  const at = freeze.ended_at ?? freeze.until;
  if (!at) return null;
  return (
    <>
      , {isOver(freeze, now) ? "over" : "until"} <Ago at={at} />
    </>
  );
}

/** What may be deployed all the same, under the freeze. */
export const freezeDetail = (it: Freeze) =>
  it.exceptions.length > 0 ? (
    <ul aria-label={`Exceptions from freeze ${it.id}`} className="page-x bg-rail py-1.5">
      {it.exceptions.map((exception) => (
        <li
          key={`${exception.workload}:${exception.deploy_id ?? ""}`}
          className="break-words text-muted"
        >
          <span className="text-text">{exceptionWords(exception)} passes:</span> “{exception.reason}
          ”, by {exception.by} <Ago at={exception.at} />
        </li>
      ))}
    </ul>
  ) : null;
