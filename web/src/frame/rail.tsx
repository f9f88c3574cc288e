import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import {
  Activity,
  Boxes,
  Hammer,
  Keyboard,
  KeyRound,
  LogOut,
  Snowflake,
  Users,
} from "lucide-react";
import { meQuery } from "@/api/queries";
import { Menu, MenuChoice, MenuItem, MenuLabel, MenuSeparator } from "@/components/menu";
import { seesPeople } from "@/lib/people";
import { setTheme, type Theme, useTheme } from "@/lib/theme";
import { Logo } from "./logo";

const PLACES = [
  { to: "/workloads", label: "Workloads", icon: Boxes },
  { to: "/activity", label: "Activity", icon: Activity },
  { to: "/builds", label: "Builds", icon: Hammer },
  { to: "/freezes", label: "Freezes", icon: Snowflake },
] as const;

const THEMES = [
  { value: "system", label: "As the system" },
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
] as const satisfies readonly { value: Theme; label: string }[];

interface Props {
  onShortcuts: () => void;
  onSignOut: () => void;
}

/** The places, and below them the person; a bar at the bottom on a phone. */
export function Rail({ onShortcuts, onSignOut }: Props) {
  return (
    <nav
      aria-label="Main"
      className="z-20 flex shrink-0 bg-rail max-md:order-last max-md:h-14 max-md:border-t md:w-14 md:flex-col md:border-r md:pb-3 xl:w-48"
    >
      <Link
        to="/workloads"
        aria-label="Hermez, all workloads"
        className="flex h-12 items-center gap-2.5 font-semibold max-md:hidden md:justify-center xl:justify-start xl:px-4"
      >
        <Logo />
        <span className="text-base tracking-tight max-xl:hidden">Hermez</span>
      </Link>
      <ul className="flex flex-1 max-md:flex-[3] max-md:justify-around md:flex-col md:gap-0.5 md:px-2 md:pt-1">
        {PLACES.map(({ to, label, icon: Icon }) => (
          <li key={to} className="max-md:flex-1">
            <Link
              to={to}
              title={label}
              className="flex items-center gap-2.5 rounded-md text-muted hover:bg-hover hover:text-text max-md:h-full max-md:flex-col max-md:justify-center max-md:gap-0.5 md:h-8 md:justify-center xl:justify-start xl:px-2"
              activeProps={{ className: "text-text! font-medium md:bg-hover" }}
            >
              <Icon className="size-4.5 shrink-0" aria-hidden />
              <span className="max-md:text-xs max-xl:md:sr-only">{label}</span>
            </Link>
          </li>
        ))}
      </ul>
      <div className="max-md:flex max-md:flex-1 md:px-2">
        <Person onShortcuts={onShortcuts} onSignOut={onSignOut} />
      </div>
    </nav>
  );
}

function Person({ onShortcuts, onSignOut }: Props) {
  const { data: me } = useQuery(meQuery);
  const theme = useTheme();
  const navigate = useNavigate();
  const name = me?.name ?? "";
  return (
    <Menu
      label="You"
      side="top"
      trigger={
        <button
          type="button"
          aria-label={name ? `You: ${name}` : "You"}
          className="flex w-full items-center gap-2.5 rounded-md text-muted hover:bg-hover hover:text-text max-md:h-full max-md:flex-col max-md:justify-center max-md:gap-0.5 md:h-9 md:justify-center xl:justify-start xl:px-1.5"
        >
          <span className="flex size-6 shrink-0 items-center justify-center rounded-full bg-selected text-xs font-medium text-accent-text uppercase max-md:size-5">
            {name.slice(0, 1)}
          </span>
          <span className="truncate max-md:max-w-16 max-md:text-xs max-xl:md:hidden">
            {name || "You"}
          </span>
        </button>
      }
    >
      {me && (
        <div className="px-2 pt-1.5 pb-1">
          <p className="font-medium">{me.name}</p>
          <p className="text-xs text-faint">
            {me.role} · Hermez {me.server_version}
          </p>
        </div>
      )}
      <MenuSeparator />
      <MenuLabel>Theme</MenuLabel>
      <MenuChoice value={theme} options={THEMES} onChange={setTheme} />
      <MenuSeparator />
      <MenuItem icon={<KeyRound />} onSelect={() => navigate({ to: "/tokens" })}>
        API tokens
      </MenuItem>
      {seesPeople(me) && (
        <MenuItem icon={<Users />} onSelect={() => navigate({ to: "/people" })}>
          People and programs
        </MenuItem>
      )}
      <MenuItem icon={<Keyboard />} shortcut="?" onSelect={onShortcuts}>
        Keyboard shortcuts
      </MenuItem>
      <MenuItem icon={<LogOut />} onSelect={onSignOut}>
        Sign out
      </MenuItem>
    </Menu>
  );
}
