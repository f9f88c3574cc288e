/** Who may sign in: their roles, and the tokens that they have. */
import type { ApiToken, Me } from "@/api/types";

/** What may be given to somebody, beginning with what may do least. */
export const ROLES = [
  { value: "viewer", label: "Viewer", may: "may look at everything and change nothing" },
  { value: "owner", label: "Owner", may: "may do everything, and add others" },
] as const;

export type Role = (typeof ROLES)[number]["value"];

/** A role of a newer server stands as it is written. */
export const roleWord = (role: string): string =>
  ROLES.find((it) => it.value === role)?.label ?? role;

/** Whether the server lets them see and add people. */
export const seesPeople = (me: Pick<Me, "role"> | undefined): boolean => me?.role === "owner";

export interface TokensOf {
  valid: number;
  /** When the newest use of any of them was. */
  usedAt: string | null;
}

/** The tokens of each, by owner. */
export function tokensByOwner(tokens: ApiToken[]): Map<string, TokensOf> {
  const all = new Map<string, TokensOf>();
  for (const { owner, revoked_at, last_used_at = null } of tokens) {
    const of = all.get(owner) ?? { valid: 0, usedAt: null };
    const newer = last_used_at !== null && (of.usedAt === null || last_used_at > of.usedAt);
    all.set(owner, {
      valid: of.valid + (revoked_at ? 0 : 1),
      usedAt: newer ? last_used_at : of.usedAt,
    });
  }
  return all;
}

const MOST_LETTERS = 63;

/** What is wrong with a name, in words; null where the server takes it. */
export function wrongName(name: string): string | null {
  if (name === "") return null;
  if (!/^[a-z]/.test(name)) return "It begins with a lower-case letter";
  if (!/^[a-z0-9._-]*$/.test(name)) return "Lower-case letters, digits, . _ and - only";
  return name.length > MOST_LETTERS ? `At most ${MOST_LETTERS} characters` : null;
}
