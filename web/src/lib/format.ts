/** Small words and cuts that are the same everywhere. */

export const shortSha = (commit: string): string => commit.slice(0, 7);

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** "github.com/team/repo" of a repository's URL. */
export function repositoryName(url: string): string {
  return url
    .replace(/^https?:\/\//, "")
    .replace(/\.git$/, "")
    .replace(/\/$/, "");
}

/** The link, if it is one that a browser should follow; else null. */
export function safeHref(url: string | null | undefined): string | null {
  if (!url) return null;
  try {
    const parsed = new URL(url);
    return parsed.protocol === "http:" || parsed.protocol === "https:" ? parsed.href : null;
  } catch {
    return null;
  }
}

/** Splits `registry/repository@sha256:abc…` so that a page can shorten the digest. */
export function splitReference(reference: string): { repository: string; digest: string } {
  const at = reference.lastIndexOf("@");
  if (at < 0) return { repository: reference, digest: "" };
  return { repository: reference.slice(0, at), digest: reference.slice(at + 1) };
}

/** "sha256:1f0c2a9b" of a whole digest. */
export const shortDigest = (digest: string): string => digest.slice(0, "sha256:".length + 12);

/** Whole percent of `part` in `whole`, never above 100. */
export const percent = (part: number, whole: number): number =>
  whole <= 0 ? 0 : Math.min(100, Math.floor((part / whole) * 100));

/** Safe name of a file to download. */
export const fileName = (text: string): string => text.replace(/[^\w.-]+/g, "-").slice(0, 120);
