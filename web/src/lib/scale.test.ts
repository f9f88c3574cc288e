import { describe, expect, it } from "vitest";
import { mkScale, mkScaleChange } from "@/test/make";
import { NO_PACE } from "./behaviour";
import { wholeNumber } from "./number";
import { autoscalingAsked, autoscalingForm, changeWords, tellsLast } from "./scale";

describe("changeWords", () => {
  it("says what each kind of change asked for", () => {
    expect(changeWords(mkScaleChange({ replicas: 5, replicas_before: 3 }))).toBe("3 → 5 pods");
    expect(changeWords(mkScaleChange({ replicas: 1, fixed: true }))).toBe("1 pod, autoscaler off");
    expect(changeWords(mkScaleChange({ kind: "file" }))).toBe("Back to the config file");
    expect(
      changeWords(mkScaleChange({ kind: "autoscaling", autoscaling: { min: 2, max: 8, cpu: 70 } })),
    ).toBe("By load: 2 to 8 pods, 70 % CPU");
    const behavior = { scaleDown: { selectPolicy: "Disabled" } };
    expect(
      changeWords(
        mkScaleChange({ kind: "autoscaling", autoscaling: { min: 2, max: 8, cpu: 70, behavior } }),
      ),
    ).toBe("By load: 2 to 8 pods, 70 % CPU, own behaviour");
  });
});

describe("autoscalingAsked", () => {
  const calm = { up: NO_PACE, down: { ...NO_PACE, calm: "60" } };
  const form = { min: "2", max: "8", cpu: "70", memory: "", behaviour: calm };

  it("asks for what the form says, and leaves what it does not show", () => {
    const now = {
      min: 1,
      max: 2,
      metrics: [{ type: "Pods" }],
      behavior: { scaleUp: { x: 1 }, scaleDown: { tolerance: "0.2" } },
    };
    expect(autoscalingAsked(form, now)).toEqual({
      min: 2,
      max: 8,
      cpu: 70,
      memory: null,
      metrics: [{ type: "Pods" }],
      behavior: {
        scaleUp: { x: 1 },
        scaleDown: { tolerance: "0.2", stabilizationWindowSeconds: 60 },
      },
    });
    const none = { up: NO_PACE, down: NO_PACE };
    expect(autoscalingAsked({ ...form, behaviour: none }, null)).not.toHaveProperty("behavior");
  });

  it("comes back as it was", () => {
    const asked = autoscalingAsked(form, null);
    expect("wrong" in asked ? null : autoscalingForm(asked)).toEqual(form);
  });

  it("says what is wrong", () => {
    const at = (change: Partial<typeof form>) => autoscalingAsked({ ...form, ...change }, null);
    expect(at({ min: "0" })).toHaveProperty("at", "min");
    expect(at({ max: "1" })).toEqual({ at: "max", wrong: "Not fewer than the fewest" });
    expect(at({ cpu: "" })).toEqual({ at: "cpu", wrong: "Say CPU, memory or both" });
    expect(at({ cpu: "0" })).toHaveProperty("at", "cpu");
    expect(at({ memory: "a lot" })).toHaveProperty("at", "memory");
    const down = { ...NO_PACE, calm: "3601" };
    expect(at({ behaviour: { up: NO_PACE, down } })).toHaveProperty("at", "down.calm");
    const up = { ...NO_PACE, pods: "0" };
    expect(at({ behaviour: { up, down } })).toHaveProperty("at", "up.pods");
  });
});

describe("tellsLast", () => {
  const change = mkScaleChange({ replicas: 5 });
  const last = (by: string) => ({ by, message: `${by} wrote to the cluster itself` });

  it("leaves out what the change that holds says itself", () => {
    expect(tellsLast(mkScale({ change, last_change: last("person") }))).toBe(false);
    expect(tellsLast(mkScale({ change }))).toBe(false);
  });

  it("tells of whoever else wrote the number", () => {
    for (const by of ["kubectl", "autoscaler", "deploy"]) {
      expect(tellsLast(mkScale({ change, last_change: last(by) }))).toBe(true);
    }
    const pending = mkScaleChange({ state: "pending" });
    expect(tellsLast(mkScale({ change: pending, last_change: last("person") }))).toBe(true);
    expect(tellsLast(mkScale({ last_change: last("person") }))).toBe(true);
  });
});

it("takes whole numbers only", () => {
  expect(wholeNumber(" 12 ")).toBe(12);
  for (const text of ["", "-1", "1.5", "1e3", "x"]) expect(wholeNumber(text)).toBeNull();
});
