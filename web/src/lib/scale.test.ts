import { describe, expect, it } from "vitest";
import { mkScaleChange } from "@/test/make";
import { wholeNumber } from "./number";
import { autoscalingAsked, autoscalingForm, changeWords } from "./scale";

describe("changeWords", () => {
  it("says what each kind of change asked for", () => {
    expect(changeWords(mkScaleChange({ replicas: 5, replicas_before: 3 }))).toBe("3 → 5 pods");
    expect(changeWords(mkScaleChange({ replicas: 1, fixed: true }))).toBe("1 pod, autoscaler off");
    expect(changeWords(mkScaleChange({ kind: "file" }))).toBe("Back to the config file");
    expect(
      changeWords(mkScaleChange({ kind: "autoscaling", autoscaling: { min: 2, max: 8, cpu: 70 } })),
    ).toBe("By load: 2 to 8 pods, 70 % CPU");
  });
});

describe("autoscalingAsked", () => {
  const form = { min: "2", max: "8", cpu: "70", memory: "", calm: "60" };

  it("asks for what the form says, and leaves what it does not show", () => {
    const now = {
      min: 1,
      max: 2,
      metrics: [{ type: "Pods" }],
      behavior: { scaleUp: { x: 1 }, scaleDown: { selectPolicy: "Min" } },
    };
    expect(autoscalingAsked(form, now)).toEqual({
      min: 2,
      max: 8,
      cpu: 70,
      memory: null,
      metrics: [{ type: "Pods" }],
      behavior: {
        scaleUp: { x: 1 },
        scaleDown: { selectPolicy: "Min", stabilizationWindowSeconds: 60 },
      },
    });
    expect(autoscalingAsked({ ...form, calm: "" }, null)).not.toHaveProperty("behavior");
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
    expect(at({ calm: "3601" })).toHaveProperty("at", "calm");
  });
});

it("takes whole numbers only", () => {
  expect(wholeNumber(" 12 ")).toBe(12);
  for (const text of ["", "-1", "1.5", "1e3", "x"]) expect(wholeNumber(text)).toBeNull();
});
