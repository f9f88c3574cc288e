import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { ChevronRight, Search } from "lucide-react";
import { Fragment } from "react";
import { useReconnecting } from "@/api/live";
import { Kbd } from "@/components/kbd";
import { Logo } from "./logo";
import { useCrumbs } from "./page";
import { Running } from "./running";

/** Where one is, search, and what is running now. */
export function Top({ onSearch }: { onSearch: () => void }) {
  const reconnecting = useReconnecting();
  return (
    <header className="page-x z-20 flex h-12 shrink-0 items-center gap-3 border-b">
      <Link to="/workloads" aria-label="Hermez, all workloads" className="md:hidden">
        <Logo className="size-6" />
      </Link>
      <Crumbs />
      <div className="ml-auto flex items-center gap-1.5">
        <p role="status" className="whitespace-nowrap text-waiting">
          {reconnecting && "Reconnecting…"}
        </p>
        <Running />
        <button
          type="button"
          onClick={onSearch}
          className="flex h-8 items-center gap-2 rounded-md border px-2.5 text-faint hover:bg-hover hover:text-text max-sm:border-transparent max-sm:px-1.5 lg:w-56"
        >
          <Search className="size-4 shrink-0" aria-hidden />
          <span className="max-sm:sr-only">Search</span>
          <span className="ml-auto max-lg:hidden">
            <Kbd keys="/" />
          </span>
        </button>
      </div>
    </header>
  );
}

/** Letters up to which a name is never cut. */
const SHORT = 12;

function Crumbs() {
  const crumbs = useCrumbs();
  return (
    <nav aria-label="Breadcrumbs" className="min-w-0 flex-1">
      <ol className="flex min-w-0 items-center gap-1">
        {crumbs.map((crumb, index) => {
          const last = index === crumbs.length - 1;
          return (
            <Fragment key={`${crumb.to ?? ""}${crumb.label}`}>
              {index > 0 && (
                <li aria-hidden className="text-faint max-sm:hidden">
                  <ChevronRight className="size-3.5" />
                </li>
              )}
              <li
                className={clsx(
                  last ? "min-w-0 truncate font-medium" : "max-sm:hidden",
                  // Only what is long gives way; a short name would keep the room without filling it.
                  !last && (crumb.label.length > SHORT ? "min-w-8 truncate" : "shrink-0"),
                )}
                aria-current={last ? "page" : undefined}
              >
                {crumb.to && !last ? (
                  <Link to={crumb.to} className="link text-muted">
                    {crumb.label}
                  </Link>
                ) : (
                  crumb.label
                )}
              </li>
            </Fragment>
          );
        })}
      </ol>
    </nav>
  );
}
