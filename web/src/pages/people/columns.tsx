import { Link } from "@tanstack/react-router";
import { Ellipsis } from "lucide-react";
import type { Principal } from "@/api/types";
import { IconButton } from "@/components/button";
import { Menu, MenuItem } from "@/components/menu";
import type { Column } from "@/components/table";
import { timeColumn } from "@/components/time-column";
import { plural } from "@/lib/format";
import { roleWord, type TokensOf } from "@/lib/people";

interface Given {
  /** Whose session this is. */
  me: string | undefined;
  /** Absent while it is not known. */
  tokens: Map<string, TokensOf> | undefined;
  onLink: (name: string) => void;
  onToken: (name: string) => void;
}

export function peopleColumns({ me, tokens, onLink, onToken }: Given): Column<Principal>[] {
  return [
    {
      id: "name",
      header: "Name",
      sort: (it) => it.name,
      cell: (it) => (
        <span className="flex min-w-0 items-baseline gap-2">
          <span className="truncate font-medium" title={it.name}>
            {it.name}
          </span>
          {it.name === me && <span className="shrink-0 text-faint">you</span>}
        </span>
      ),
    },
    {
      id: "role",
      header: "Role",
      className: "w-20 sm:w-28",
      sort: (it) => it.role,
      cell: (it) => <span className="block truncate text-muted">{roleWord(it.role)}</span>,
    },
    {
      id: "tokens",
      header: "Valid tokens",
      right: true,
      className: "w-28",
      cell: (it) => {
        if (!tokens) return <span className="text-faint">–</span>;
        const valid = tokens.get(it.name)?.valid ?? 0;
        if (valid === 0) return <span className="text-faint">None</span>;
        return (
          <Link
            to="/tokens"
            search={{ owner: it.name }}
            aria-label={`${plural(valid, "valid token")} of ${it.name}`}
            data-row-link
            className="link nums"
          >
            {valid}
          </Link>
        );
      },
    },
    timeColumn({
      id: "used",
      header: "Token last used",
      className: "w-34 max-md:hidden",
      at: (it) => tokens?.get(it.name)?.usedAt,
    }),
    timeColumn({
      id: "added",
      header: "Added",
      className: "w-30 max-sm:hidden",
      sorted: true,
      at: (it) => it.created_at,
    }),
    {
      id: "more",
      header: "More",
      right: true,
      quiet: true,
      className: "w-15",
      cell: (it) => (
        <Menu
          label={`More for ${it.name}`}
          align="end"
          trigger={
            <IconButton label={`More for ${it.name}`} className="-my-1 -mr-2">
              <Ellipsis />
            </IconButton>
          }
        >
          <MenuItem onSelect={() => onLink(it.name)}>Make a sign-in link…</MenuItem>
          <MenuItem onSelect={() => onToken(it.name)}>Create a token…</MenuItem>
        </Menu>
      ),
    },
  ];
}
