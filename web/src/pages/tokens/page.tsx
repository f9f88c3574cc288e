import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { api } from "@/api/client";
import { isDenied } from "@/api/problem";
import { keys, tokensQuery } from "@/api/queries";
import type { ApiToken } from "@/api/types";
import { Button } from "@/components/button";
import { Command } from "@/components/copy";
import { Empty } from "@/components/empty";
import { PageHead } from "@/components/page-head";
import { ProblemView } from "@/components/problem";
import { Status } from "@/components/status";
import { type Column, DataTable, TableSkeleton } from "@/components/table";
import { timeColumn } from "@/components/time-column";
import { toastProblem } from "@/components/toast";
import { usePage } from "@/frame/page";
import { CreateTokenDialog } from "./create-dialog";
import { RevokeDialog } from "./revoke-dialog";

/** Tokens for programs and the command line. */
export function TokensPage() {
  const { owner } = useSearch({ from: "/app/tokens" });
  usePage(
    owner ? [{ label: "API tokens", to: "/tokens" }, { label: owner }] : [{ label: "API tokens" }],
  );
  const { data: all, error, isPending, refetch } = useQuery(tokensQuery);
  const tokens = useMemo(
    () => (owner ? all?.filter((it) => it.owner === owner) : all),
    [all, owner],
  );
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<ApiToken | null>(null);
  const revoke = useRevoke();
  const columns = useMemo(() => tokenColumns(setRevoking), []);
  return (
    <>
      <PageHead
        title="API tokens"
        create={
          isDenied(error) ? null : { label: "Create a token", onClick: () => setCreating(true) }
        }
      >
        {owner ? (
          <>
            Those of <span className="font-medium wrap-anywhere text-text">{owner}</span>.{" "}
            <Link to="/tokens" className="link-accent underline">
              See all
            </Link>
          </>
        ) : (
          "A token lets a program do what its owner may. Hermez keeps only its hash."
        )}
      </PageHead>
      {error && <ProblemView error={error} onRetry={() => refetch()} className="page-x pb-4" />}
      {isPending && <TableSkeleton columns={columns} what="tokens" rows={3} />}
      {tokens && tokens.length > 0 && (
        <DataTable label="API tokens" columns={columns} rows={tokens} rowId={tokenId} />
      )}
      {tokens?.length === 0 && owner && (
        <Empty title={`${owner} has no tokens`}>
          <p className="text-muted">Owners create one for others among people and programs.</p>
        </Empty>
      )}
      {tokens?.length === 0 && !owner && (
        <Empty title="No tokens">
          <p className="text-muted">Create one for a program, or from the command line:</p>
          <Command text="hermez token create ci" />
        </Empty>
      )}
      {creating && <CreateTokenDialog onClose={() => setCreating(false)} />}
      {revoking && (
        <RevokeDialog
          token={revoking}
          onClose={() => setRevoking(null)}
          onRevoke={() => {
            revoke(revoking);
            setRevoking(null);
          }}
        />
      )}
    </>
  );
}

const tokenId = (it: ApiToken) => it.id;

function tokenColumns(onRevoke: (token: ApiToken) => void): Column<ApiToken>[] {
  return [
    {
      id: "name",
      header: "Token",
      sort: (it) => it.name,
      cell: (it) => (
        <span className="block truncate font-medium" title={it.name}>
          {it.name}
        </span>
      ),
    },
    {
      id: "state",
      header: "State",
      className: "w-28",
      cell: (it) => (
        <Status
          look={
            it.revoked_at ? { tone: "unknown", word: "Revoked" } : { tone: "ok", word: "Valid" }
          }
        />
      ),
    },
    {
      id: "owner",
      header: "Owner",
      className: "w-40 max-md:hidden",
      cell: (it) => <span className="block truncate text-muted">{it.owner}</span>,
    },
    timeColumn({
      id: "created",
      header: "Created",
      className: "w-30 max-sm:hidden",
      at: (it) => it.created_at,
    }),
    timeColumn({
      id: "used",
      header: "Last used",
      className: "w-30 max-sm:hidden",
      none: "Never",
      at: (it) => it.last_used_at,
    }),
    {
      id: "revoke",
      header: "Revoke",
      right: true,
      quiet: true,
      className: "w-24",
      cell: (it) =>
        !it.revoked_at && (
          <Button
            look="quiet"
            data-row-link
            className="-my-1 -mr-2 h-7! px-2! text-failed!"
            onClick={() => onRevoke(it)}
          >
            Revoke<span className="sr-only"> {it.name}</span>
          </Button>
        ),
    },
  ];
}

/** The page changes at once; a refusal changes it back. */
function useRevoke(): (token: ApiToken) => void {
  const client = useQueryClient();
  const { mutate } = useMutation({
    mutationFn: (token: ApiToken) => api.revokeToken(token.id),
    onMutate: (token) => {
      const before = client.getQueryData<ApiToken[]>(keys.tokens);
      client.setQueryData<ApiToken[]>(keys.tokens, (list) =>
        list?.map((it) =>
          it.id === token.id ? { ...it, revoked_at: new Date().toISOString() } : it,
        ),
      );
      return before;
    },
    onError: (error, token, before) => {
      client.setQueryData(keys.tokens, before);
      toastProblem(`${token.name} is still valid`, error);
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.tokens }),
  });
  return mutate;
}
