import { Link, type LinkProps, useLocation } from "@tanstack/react-router";
import { useEffect, useRef } from "react";

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
  const bar = useRef<HTMLElement>(null);
  const { pathname, searchStr } = useLocation();
  // On a phone the bar scrolls: the tab that is open is never left outside of it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: each address has its open tab
  useEffect(() => {
    const box = bar.current;
    const open = box?.querySelector<HTMLElement>("a[aria-current=page]");
    if (!box || !open) return;
    const [inner, outer] = [open.getBoundingClientRect(), box.getBoundingClientRect()];
    if (inner.left < outer.left) box.scrollLeft += inner.left - outer.left - 16;
    if (inner.right > outer.right) box.scrollLeft += inner.right - outer.right + 16;
  }, [pathname, searchStr, label]);
  return (
    <nav ref={bar} aria-label={label} className="page-x overflow-x-auto border-b shadow-none">
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
