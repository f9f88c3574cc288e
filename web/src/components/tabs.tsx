import { Link, type LinkProps } from "@tanstack/react-router";

export interface Tab {
  label: string;
  to: LinkProps["to"];
  params?: Record<string, string>;
  search?: Record<string, unknown>;
  /** Active only on exactly this address. */
  exact?: boolean;
}

/** Tabs are links: each has its URL. */
export function Tabs({ label, tabs }: { label: string; tabs: Tab[] }) {
  return (
    <nav aria-label={label} className="page-x overflow-x-auto border-b shadow-none">
      <ul className="-ml-2 flex gap-1">
        {tabs.map((tab) => (
          <li key={tab.label}>
            <Link
              to={tab.to}
              params={tab.params as never}
              search={(tab.search ?? {}) as never}
              activeOptions={{ exact: tab.exact ?? false, includeSearch: tab.search !== undefined }}
              className="relative flex h-9 items-center rounded-sm px-2 whitespace-nowrap text-muted -outline-offset-2 hover:text-text"
              activeProps={{
                className:
                  "text-text! font-medium after:absolute after:inset-x-2 after:bottom-0 after:h-0.5 after:bg-accent",
              }}
            >
              {tab.label}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
