import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { isDenied } from "@/api/problem";
import { meQuery, principalsQuery, tokensQuery } from "@/api/queries";
import type { Principal } from "@/api/types";
import { Command } from "@/components/copy";
import { Empty } from "@/components/empty";
import { PageHead } from "@/components/page-head";
import { ProblemView } from "@/components/problem";
import { DataTable, TableSkeleton } from "@/components/table";
import { usePage } from "@/frame/page";
import { seesPeople, tokensByOwner } from "@/lib/people";
import { CreateTokenDialog } from "@/pages/tokens/create-dialog";
import { AddDialog } from "./add-dialog";
import { AddedDialog } from "./added-dialog";
import { peopleColumns } from "./columns";
import { LinkDialog } from "./link-dialog";

type Open =
  | { what: "add" }
  | { what: "added"; added: Principal }
  | { what: "link" | "token"; name: string };

/** Who may sign in, with which role; adding them and letting them in. */
export function PeoplePage() {
  usePage([{ label: "People and programs" }]);
  const { data: me } = useQuery(meQuery);
  const { data: people, error, isPending, refetch } = useQuery(principalsQuery);
  const { data: tokens } = useQuery({ ...tokensQuery, enabled: seesPeople(me) });
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => setOpen(null);
  const columns = useMemo(
    () =>
      peopleColumns({
        me: me?.name,
        tokens: tokens && tokensByOwner(tokens),
        onLink: (name) => setOpen({ what: "link", name }),
        onToken: (name) => setOpen({ what: "token", name }),
      }),
    [me?.name, tokens],
  );
  const denied = isDenied(error);
  return (
    <>
      <PageHead
        title="People and programs"
        create={
          denied
            ? null
            : { label: "Add a person or program", onClick: () => setOpen({ what: "add" }) }
        }
      >
        Who may sign in, and what their role lets them do.
      </PageHead>
      {error && (
        <ProblemView
          error={error}
          hint={denied ? "Ask an owner to look, or to give you that role." : undefined}
          onRetry={() => refetch()}
          className="page-x pb-4"
        />
      )}
      {isPending && <TableSkeleton columns={columns} what="people" rows={3} />}
      {people && people.length > 0 && (
        <DataTable label="People and programs" columns={columns} rows={people} rowId={byName} />
      )}
      {people && people.length < 2 && (
        <Empty title="Nobody else may sign in">
          <p className="text-muted">Add somebody here, or from the command line:</p>
          <Command text="hermez principal create ada --role viewer" />
        </Empty>
      )}
      {open?.what === "add" && (
        <AddDialog onClose={close} onAdded={(added) => setOpen({ what: "added", added })} />
      )}
      {open?.what === "added" && (
        <AddedDialog
          added={open.added}
          onClose={close}
          onLink={() => setOpen({ what: "link", name: open.added.name })}
          onToken={() => setOpen({ what: "token", name: open.added.name })}
        />
      )}
      {open?.what === "link" && <LinkDialog name={open.name} onClose={close} />}
      {open?.what === "token" && <CreateTokenDialog of={open.name} onClose={close} />}
    </>
  );
}

const byName = (it: Principal) => it.name;
