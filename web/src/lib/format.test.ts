import { describe, expect, it } from "vitest";
import { fileName, percent, plural, repositoryName, safeHref, splitReference } from "./format";
import { oneOf, sortFromText, sortToText, text } from "./search";

describe("format", () => {
  it("counts in words", () => {
    expect([plural(0, "pod"), plural(1, "pod"), plural(2_000, "pod")]).toEqual([
      "0 pods",
      "1 pod",
      "2,000 pods",
    ]);
    expect([percent(2, 3), percent(5, 3), percent(0, 0)]).toEqual([66, 100, 0]);
  });

  it("follows only links of the web", () => {
    expect(safeHref("http://127.0.0.1:30080")).toBe("http://127.0.0.1:30080/");
    expect([safeHref("javascript:alert(1)"), safeHref("no url"), safeHref(null)]).toEqual([
      null,
      null,
      null,
    ]);
  });

  it("names repositories and images shortly", () => {
    expect(repositoryName("https://git.example/team/hello.git")).toBe("git.example/team/hello");
    expect(splitReference("host:5000/a/b@sha256:1f")).toEqual({
      repository: "host:5000/a/b",
      digest: "sha256:1f",
    });
    expect(splitReference("a:1").digest).toBe("");
    expect(fileName("a/../b c")).toBe("a-..-b-c");
  });
});

describe("what stands in a URL", () => {
  it("is bounded and checked", () => {
    expect(text("x".repeat(1_000))?.length).toBe(300);
    expect([text(7), text(""), text({})]).toEqual(["7", undefined, undefined]);
    expect([oneOf("a", ["a", "b"]), oneOf("c", ["a", "b"])]).toEqual(["a", undefined]);
  });

  it("keeps a sort", () => {
    for (const sort of [{ id: "name", desc: false }, { id: "when", desc: true }, null]) {
      expect(sortFromText(sortToText(sort))).toEqual(sort);
    }
  });
});
