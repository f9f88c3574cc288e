/** Calls for who may sign in, and for what they sign in with. */
import { client, LIST_LIMIT, type PageOf, take } from "./call";
import type { CreatePrincipal } from "./types";

export const peopleApi = {
  me: (signal?: AbortSignal) => take(client.GET("/api/v1/me", { signal })),
  logout: () => take(client.POST("/api/v1/logout")),

  tokens: (query: PageOf, signal?: AbortSignal) =>
    take(
      client.GET("/api/v1/tokens", { params: { query: { ...query, limit: LIST_LIMIT } }, signal }),
    ),
  createToken: (name: string) => take(client.POST("/api/v1/tokens", { body: { name } })),
  revokeToken: (id: string) =>
    take(client.DELETE("/api/v1/tokens/{id}", { params: { path: { id } } })),

  principals: (query: PageOf, signal?: AbortSignal) =>
    take(
      client.GET("/api/v1/principals", {
        params: { query: { ...query, limit: LIST_LIMIT } },
        signal,
      }),
    ),
  createPrincipal: (body: CreatePrincipal) => take(client.POST("/api/v1/principals", { body })),
  /** Whoever opens the link is signed in as that person; it is shown this once. */
  createLoginLink: (name: string) =>
    take(client.POST("/api/v1/principals/{name}/login-links", { params: { path: { name } } })),
  createTokenFor: (principal: string, name: string) =>
    take(
      client.POST("/api/v1/principals/{name}/tokens", {
        params: { path: { name: principal } },
        body: { name },
      }),
    ),
};
