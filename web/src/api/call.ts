/** How the API is called: the generated client, and its answers as data or as one kind of error. */
import createClient from "openapi-fetch";
import { problemFrom, unreachable } from "./problem";
import type { paths } from "./schema";

export const client = createClient<paths>({
  baseUrl: window.location.origin,
  // Asked for at each call, so that tests can put their own in its place.
  fetch: (request) => globalThis.fetch(request),
});

export const LIST_LIMIT = 200;

export interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The answer's data, or what went wrong as one kind of error. */
export async function take<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (!answer.response.ok) throw problemFrom(answer.response.status, answer.error);
  return answer.data as T;
}

/** A read by its address: for what the generated client does not have. */
export async function read<T>(url: string, signal?: AbortSignal): Promise<Answer<T>> {
  const response = await globalThis.fetch(
    new Request(new URL(url, window.location.origin), { signal }),
  );
  const body: unknown = await response.json().catch(() => undefined);
  return response.ok ? { data: body as T, response } : { error: body, response };
}

export const once = (key: string) => ({ "Idempotency-Key": key });
export const version = (number: number) => ({ "If-Match": `"${number}"` });

/** A branch's or list's next page. */
export interface PageOf {
  cursor?: string;
}
