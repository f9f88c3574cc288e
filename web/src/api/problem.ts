/** Errors of the API (RFC 9457), and of the way to it, in one shape. */
import type { Problem } from "./types";

export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = "ProblemError";
    this.problem = problem;
  }
}

/** The problem in anything that was thrown. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  return {
    type: "urn:hermez:problem:page",
    title: "This page met something that it does not understand",
    status: 0,
    detail: error instanceof Error ? error.message : String(error),
    hint: "Load the page again. If it happens again, tell whoever runs Hermez.",
  };
}

/** The server could not be reached at all. */
export function unreachable(): ProblemError {
  return new ProblemError({
    type: "urn:hermez:problem:unreachable",
    title: "Hermez cannot be reached",
    status: 0,
    detail: "The server did not answer.",
    hint: "Check your connection. What runs in the cluster is not affected; this page goes on by itself when the server answers.",
  });
}

/** Reads the problem out of a refused request, whatever stands between here and the server. */
export function problemFrom(status: number, body: unknown): ProblemError {
  if (isProblem(body)) return new ProblemError({ ...body, status });
  return new ProblemError({
    type: "urn:hermez:problem:answer",
    title: status >= 500 ? "Hermez could not answer" : "Hermez refused the request",
    status,
    detail: `The answer had the status ${status} and no further words.`,
    hint: "If something stands between you and Hermez (a proxy, a gateway), look at its log.",
  });
}

export const isSignedOut = (error: unknown): boolean =>
  error instanceof ProblemError && error.problem.status === 401;

export const isDenied = (error: unknown): boolean =>
  error instanceof ProblemError && error.problem.status === 403;

export const isMissing = (error: unknown): boolean =>
  error instanceof ProblemError && error.problem.status === 404;

const INVALID = ["urn:hermez:problem:invalid-body", "urn:hermez:problem:invalid-parameter"];

/** Something in the request is not what the server takes. */
export const isInvalid = (error: unknown): boolean =>
  error instanceof ProblemError && INVALID.includes(error.problem.type);

/** A rule holds the deploy back, and saying why may let it through. */
export const isHeld = (error: unknown): boolean =>
  error instanceof ProblemError && error.problem.type === "urn:hermez:problem:deploy-held";

export const isNothingToRollBack = (error: unknown): boolean =>
  error instanceof ProblemError && error.problem.type === "urn:hermez:problem:nothing-to-roll-back";

export const isUnreachable = (error: unknown): boolean =>
  error instanceof ProblemError && error.problem.type === "urn:hermez:problem:unreachable";

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "title" in body && "type" in body;
}
