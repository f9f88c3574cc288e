import { MutationCache, QueryCache, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { onSignedOut, tellSignedOut } from "./api/live";
import { isSignedOut } from "./api/problem";
import { makeQueryClient } from "./api/queries";
import { watchTheme } from "./lib/theme";
import { fetchPages, makeRouter } from "./router";
import "./styles.css";

const onError = (error: unknown) => {
  if (isSignedOut(error)) tellSignedOut();
};
const client = makeQueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
});
const router = makeRouter(client);

// Wherever the server says that it does not know us, the page to sign in follows.
onSignedOut(() => {
  const { pathname, href } = router.state.location;
  if (pathname === "/login") return;
  void router.navigate({ to: "/login", search: { from: href }, replace: true });
});
watchTheme();

// Once the first page stands, the others are fetched too: a server that goes away later does not
// take them with it, and each can say by itself what it cannot show.
let ahead = false;
setTimeout(async () => {
  ahead = true;
  await fetchPages(router);
  ahead = false;
}, 3_000);

// After an update of the server, parts of an old page are gone; the new page has them.
window.addEventListener("vite:preloadError", (event) => {
  if (ahead) return;
  const last = Number(sessionStorage.getItem("hermez-reloaded") ?? 0);
  if (Date.now() - last < 10_000) return;
  sessionStorage.setItem("hermez-reloaded", String(Date.now()));
  event.preventDefault();
  window.location.reload();
});

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
