import { describe, expect, it } from "vitest";
import { mkWorkload } from "@/test/make";
import { filterWorkloads, typesOf } from "./filter";

const list = [
  mkWorkload({ name: "hermez-ui" }),
  mkWorkload({ name: "hermez-ui-testing", category: "Non-Production" }),
  mkWorkload({ name: "demo", workload_type: "PinterestCronJob", project: "kubecon" }),
];
const names = (filter: Parameters<typeof filterWorkloads>[1]) =>
  filterWorkloads(list, filter).map((it) => it.name);

describe("filterWorkloads", () => {
  it("filters by each of the three, and by all at once", () => {
    expect(names({})).toHaveLength(3);
    expect(names({ category: "Production" })).toEqual(["hermez-ui", "demo"]);
    expect(names({ type: "PinterestCronJob" })).toEqual(["demo"]);
    expect(names({ category: "Production", name: "hermez" })).toEqual(["hermez-ui"]);
  });

  it("finds every word, also in projects", () => {
    expect(names({ name: "ui TEST" })).toEqual(["hermez-ui-testing"]);
    expect(names({ name: "kubecon" })).toEqual(["demo"]);
  });

  it("offers the types that there are", () => {
    expect(typesOf(list)).toEqual(["PinterestCronJob", "PinterestService"]);
  });
});
