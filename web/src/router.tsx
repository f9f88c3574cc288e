/** Every page and its URL. Pages are loaded when they are first visited. */
import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { Toasts } from "@/components/toast";
import { Frame } from "@/frame/frame";
import { Crash, Missing } from "@/pages/missing/page";
import {
  type ActivitySearch,
  BUILD_STATES,
  type BuildsSearch,
  type CommitsSearch,
  DEPLOY_KINDS,
  DEPLOY_STATES,
  type FreezesSearch,
  type HistorySearch,
  type LoginSearch,
  type LogsSearch,
  oneOf,
  type TokensSearch,
  text,
  type WorkloadSearch,
  type WorkloadsSearch,
} from "./lib/search";

const root = createRootRouteWithContext<{ client: QueryClient }>()({
  component: () => (
    <>
      <Outlet />
      <Toasts />
    </>
  ),
});

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search: Record<string, unknown>): LoginSearch => ({
    from: text(search.from),
    link: oneOf(search.link, ["used"] as const),
  }),
  component: lazyRouteComponent(() => import("@/pages/login/page"), "LoginPage"),
});

const app = createRoute({ getParentRoute: () => root, id: "app", component: Frame });

const index = createRoute({
  getParentRoute: () => app,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/workloads" });
  },
});

const workloads = createRoute({
  getParentRoute: () => app,
  path: "/workloads",
  validateSearch: (search: Record<string, unknown>): WorkloadsSearch => ({
    category: text(search.category),
    name: text(search.name),
    type: text(search.type),
    sort: text(search.sort),
    create: search.create === true || search.create === "true" ? true : undefined,
  }),
  component: lazyRouteComponent(() => import("@/pages/workloads/page"), "WorkloadsPage"),
});

const workload = createRoute({
  getParentRoute: () => app,
  path: "/workloads/$name",
  // `deploy` opens the dialog; it names the commit, or "newest".
  validateSearch: (search: Record<string, unknown>): WorkloadSearch => ({
    deploy: text(search.deploy),
    rollback: text(search.rollback),
    restart: search.restart === true || search.restart === "true" ? true : undefined,
  }),
  component: lazyRouteComponent(() => import("@/pages/workload/page"), "WorkloadPage"),
});

const workloadStatus = createRoute({
  getParentRoute: () => workload,
  path: "/",
  component: lazyRouteComponent(() => import("@/pages/workload/status"), "StatusTab"),
});

const workloadCommits = createRoute({
  getParentRoute: () => workload,
  path: "commits",
  validateSearch: (search: Record<string, unknown>): CommitsSearch => ({
    branch: text(search.branch),
    q: text(search.q),
  }),
  component: lazyRouteComponent(() => import("@/pages/workload/commits"), "CommitsTab"),
});

const workloadPulls = createRoute({
  getParentRoute: () => workload,
  path: "pull-requests",
  component: lazyRouteComponent(() => import("@/pages/pull-requests/list"), "PullRequestsTab"),
});

const workloadPull = createRoute({
  getParentRoute: () => workload,
  path: "pull-requests/$number",
  component: lazyRouteComponent(() => import("@/pages/pull-requests/page"), "PullRequestPage"),
});

const workloadHistory = createRoute({
  getParentRoute: () => workload,
  path: "history",
  validateSearch: (search: Record<string, unknown>): HistorySearch => ({
    state: oneOf(search.state, DEPLOY_STATES),
    kind: oneOf(search.kind, DEPLOY_KINDS),
    by: text(search.by),
    commit: text(search.commit),
    since: text(search.since),
    until: text(search.until),
  }),
  component: lazyRouteComponent(() => import("@/pages/workload/history"), "HistoryTab"),
});

const workloadLogs = createRoute({
  getParentRoute: () => workload,
  path: "logs",
  validateSearch: (search: Record<string, unknown>): LogsSearch => ({
    pod: text(search.pod),
    container: text(search.container),
    previous: search.previous === true ? true : undefined,
  }),
  component: lazyRouteComponent(() => import("@/pages/workload/logs"), "LogsTab"),
});

const workloadScale = createRoute({
  getParentRoute: () => workload,
  path: "scale",
  component: lazyRouteComponent(() => import("@/pages/workload/scale"), "ScaleTab"),
});

const workloadSettings = createRoute({
  getParentRoute: () => workload,
  path: "settings",
  component: lazyRouteComponent(() => import("@/pages/workload/settings"), "SettingsTab"),
});

const deploy = createRoute({
  getParentRoute: () => app,
  path: "/deploys/$id",
  component: lazyRouteComponent(() => import("@/pages/deploy/page"), "DeployPage"),
});

const compare = createRoute({
  getParentRoute: () => app,
  path: "/deploys/$id/compare/$other",
  component: lazyRouteComponent(() => import("@/pages/deploy/compare"), "ComparePage"),
});

const receipt = createRoute({
  getParentRoute: () => app,
  path: "/deploys/$id/receipt",
  component: lazyRouteComponent(() => import("@/pages/receipt/page"), "ReceiptPage"),
});

const builds = createRoute({
  getParentRoute: () => app,
  path: "/builds",
  validateSearch: (search: Record<string, unknown>): BuildsSearch => ({
    state: oneOf(search.state, BUILD_STATES),
  }),
  component: lazyRouteComponent(() => import("@/pages/builds/page"), "BuildsPage"),
});

const build = createRoute({
  getParentRoute: () => app,
  path: "/builds/$id",
  component: lazyRouteComponent(() => import("@/pages/build/page"), "BuildPage"),
});

const activity = createRoute({
  getParentRoute: () => app,
  path: "/activity",
  validateSearch: (search: Record<string, unknown>): ActivitySearch => ({
    show: oneOf(search.show, ["record"] as const),
  }),
  component: lazyRouteComponent(() => import("@/pages/activity/page"), "ActivityPage"),
});

const freezes = createRoute({
  getParentRoute: () => app,
  path: "/freezes",
  validateSearch: (search: Record<string, unknown>): FreezesSearch => ({
    all: search.all === true || search.all === "true" ? true : undefined,
  }),
  component: lazyRouteComponent(() => import("@/pages/freezes/page"), "FreezesPage"),
});

const project = createRoute({
  getParentRoute: () => app,
  path: "/projects/$project",
  component: lazyRouteComponent(() => import("@/pages/project/page"), "ProjectPage"),
});

const people = createRoute({
  getParentRoute: () => app,
  path: "/people",
  component: lazyRouteComponent(() => import("@/pages/people/page"), "PeoplePage"),
});

const tokens = createRoute({
  getParentRoute: () => app,
  path: "/tokens",
  validateSearch: (search: Record<string, unknown>): TokensSearch => ({
    owner: text(search.owner),
  }),
  component: lazyRouteComponent(() => import("@/pages/tokens/page"), "TokensPage"),
});

const missing = createRoute({ getParentRoute: () => app, path: "$", component: Missing });

const tree = root.addChildren([
  login,
  app.addChildren([
    index,
    workloads,
    workload.addChildren([
      workloadStatus,
      workloadCommits,
      workloadPulls,
      workloadPull,
      workloadHistory,
      workloadLogs,
      workloadScale,
      workloadSettings,
    ]),
    deploy,
    compare,
    receipt,
    builds,
    build,
    activity,
    freezes,
    project,
    people,
    tokens,
    missing,
  ]),
]);

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { client },
    defaultPreload: "intent",
    defaultNotFoundComponent: Missing,
    defaultErrorComponent: Crash,
    scrollRestoration: true,
  });
}

/** Fetches what is loaded when it is first visited; what fails is tried again at that visit. */
export async function fetchPages(router: ReturnType<typeof makeRouter>) {
  const pages = Object.values(router.routesById).map((route) => route.options.component);
  const preloads = pages.map((page) => page && "preload" in page && page.preload?.());
  const frame = [import("@/frame/palette"), import("@/frame/shortcut-list")];
  await Promise.allSettled([...preloads, ...frame]);
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
