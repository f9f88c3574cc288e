import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api } from "@/api/client";
import { useWatchAll } from "@/api/live";
import { meQuery } from "@/api/queries";
import { toastProblem } from "@/components/toast";
import { seesPeople } from "@/lib/people";
import { setTheme } from "@/lib/theme";
import { type Action, useActions } from "./actions";
import { Rail } from "./rail";
import { useShortcuts } from "./shortcuts";
import { Top } from "./top";

const Palette = lazy(() => import("./palette"));
const ShortcutList = lazy(() => import("./shortcut-list"));

/** Rail, top line and the page; everything that is the same everywhere. */
export function Frame() {
  const [palette, setPalette] = useState(false);
  const [shortcuts, setShortcuts] = useState(false);
  const openPalette = useCallback(() => setPalette(true), []);
  const openShortcuts = useCallback(() => setShortcuts(true), []);
  const signOut = useSignOut();
  useWatchAll();
  useShortcuts(openPalette);
  useFrameActions(openShortcuts, signOut);
  const content = useContentFocus();

  return (
    <div className="flex h-dvh max-md:flex-col">
      <a
        href="#content"
        className="sr-only z-60 rounded-md bg-panel px-3 py-1.5 shadow-float focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to the page
      </a>
      <Rail onShortcuts={openShortcuts} onSignOut={signOut} />
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <Top onSearch={openPalette} />
        <main
          id="content"
          ref={content}
          tabIndex={-1}
          className="min-h-0 flex-1 overflow-x-hidden overflow-y-auto outline-none"
        >
          <Outlet />
        </main>
      </div>
      <Suspense>
        {palette && <Palette onClose={() => setPalette(false)} />}
        {shortcuts && <ShortcutList onClose={() => setShortcuts(false)} />}
      </Suspense>
    </div>
  );
}

function useSignOut() {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useCallback(async () => {
    try {
      await api.logout();
      client.clear();
      await navigate({ to: "/login" });
    } catch (error) {
      toastProblem("You are still signed in", error);
    }
  }, [client, navigate]);
}

/** A new page takes the focus, so that the keyboard and screen readers begin at its start. */
function useContentFocus() {
  const content = useRef<HTMLElement>(null);
  const page = useLocation({ select: (location) => pageOf(location.pathname) });
  const first = useRef(page);
  useEffect(() => {
    if (first.current === page) return;
    first.current = page;
    content.current?.focus({ preventScroll: true });
    content.current?.scrollTo(0, 0);
  }, [page]);
  return content;
}

/** The tabs of one workload are one page: moving between them keeps the focus on the tab. */
const pageOf = (path: string): string => path.split("/").slice(0, 3).join("/");

function useFrameActions(openShortcuts: () => void, signOut: () => void) {
  const navigate = useNavigate();
  const { data: me } = useQuery(meQuery);
  const people = seesPeople(me);
  const actions = useMemo<Action[]>(
    () => [
      {
        id: "create-workload",
        label: "Create a workload",
        group: "Create",
        shortcut: "c",
        keywords: "new add service repository",
        run: () => navigate({ to: "/workloads", search: { create: true } }),
      },
      {
        id: "go-workloads",
        label: "Workloads",
        group: "Go to",
        shortcut: "g w",
        run: () => navigate({ to: "/workloads" }),
      },
      {
        id: "go-activity",
        label: "Activity",
        group: "Go to",
        shortcut: "g a",
        keywords: "deploys audit",
        run: () => navigate({ to: "/activity" }),
      },
      {
        id: "go-builds",
        label: "Builds",
        group: "Go to",
        shortcut: "g b",
        run: () => navigate({ to: "/builds" }),
      },
      {
        id: "go-freezes",
        label: "Freezes",
        group: "Go to",
        shortcut: "g f",
        keywords: "rules hold stop deploys",
        run: () => navigate({ to: "/freezes" }),
      },
      {
        id: "go-tokens",
        label: "API tokens",
        group: "Go to",
        shortcut: "g t",
        run: () => navigate({ to: "/tokens" }),
      },
      ...(people
        ? [
            {
              id: "go-people",
              label: "People and programs",
              group: "Go to" as const,
              shortcut: "g p",
              keywords: "principals users roles sign in add person robot",
              run: () => navigate({ to: "/people" }),
            },
          ]
        : []),
      {
        id: "theme-light",
        label: "Light theme",
        group: "Theme",
        run: () => setTheme("light"),
      },
      { id: "theme-dark", label: "Dark theme", group: "Theme", run: () => setTheme("dark") },
      {
        id: "theme-system",
        label: "Theme as the system has it",
        group: "Theme",
        run: () => setTheme("system"),
      },
      {
        id: "shortcuts",
        label: "Keyboard shortcuts",
        group: "You",
        shortcut: "?",
        keywords: "help keys",
        run: openShortcuts,
      },
      { id: "sign-out", label: "Sign out", group: "You", keywords: "log out", run: signOut },
    ],
    [navigate, openShortcuts, signOut, people],
  );
  useActions(actions);
}
