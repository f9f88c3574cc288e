import { describe, expect, it } from "vitest";
import {
  behaviourAsked,
  behaviourForm,
  hasBehaviour,
  morePolicies,
  NO_PACE,
  paceWrong,
} from "./behaviour";

const SET = {
  scaleUp: {
    stabilizationWindowSeconds: 0,
    selectPolicy: "Max",
    tolerance: "0.05",
    policies: [
      { type: "Percent", value: 100, periodSeconds: 15 },
      { type: "Pods", value: 4, periodSeconds: 60 },
      { type: "Pods", value: 20, periodSeconds: 600 },
    ],
  },
  scaleDown: { selectPolicy: "Disabled" },
};

describe("behaviourForm", () => {
  it("shows the first policy of each type", () => {
    expect(behaviourForm(SET).up).toEqual({
      calm: "0",
      pods: "4",
      podsSeconds: "60",
      percent: "100",
      percentSeconds: "15",
      select: "Max",
    });
    expect(behaviourForm(SET).down).toEqual({ ...NO_PACE, select: "Disabled" });
  });

  it("is empty where nothing is set, or nothing that can be read", () => {
    for (const now of [undefined, null, "fast", { scaleUp: null }, { scaleUp: { policies: {} } }]) {
      expect(behaviourForm(now)).toEqual({ up: NO_PACE, down: NO_PACE });
    }
  });
});

describe("behaviourAsked", () => {
  it("comes back as it was", () => {
    expect(behaviourAsked(behaviourForm(SET), SET)).toEqual(SET);
    expect(behaviourAsked(behaviourForm(null), null)).toBeNull();
  });

  it("changes a policy in its place, and keeps those beside it", () => {
    const form = behaviourForm(SET);
    const up = { ...form.up, pods: "6", percent: "" };
    expect(behaviourAsked({ ...form, up }, SET)).toEqual({
      ...SET,
      scaleUp: {
        ...SET.scaleUp,
        policies: [
          { type: "Pods", value: 6, periodSeconds: 60 },
          { type: "Pods", value: 20, periodSeconds: 600 },
        ],
      },
    });
  });

  it("leaves no empty list, and no empty direction", () => {
    const now = { scaleDown: { policies: [{ type: "Pods", value: 1, periodSeconds: 60 }] } };
    expect(behaviourAsked({ up: NO_PACE, down: NO_PACE }, now)).toBeNull();
    const down = { ...NO_PACE, percent: "10", select: "Min" };
    expect(behaviourAsked({ up: NO_PACE, down }, null)).toEqual({
      scaleDown: {
        selectPolicy: "Min",
        policies: [{ type: "Percent", value: 10, periodSeconds: 60 }],
      },
    });
  });
});

it("says what is wrong, in Kubernetes' own limits", () => {
  const at = (change: Partial<typeof NO_PACE>) => paceWrong({ ...NO_PACE, ...change })?.at;
  expect(at({})).toBeUndefined();
  expect(at({ calm: "3600", pods: "1", podsSeconds: "1800" })).toBeUndefined();
  expect(at({ calm: "3601" })).toBe("calm");
  expect(at({ pods: "0" })).toBe("pods");
  expect(at({ pods: "1", podsSeconds: "1801" })).toBe("podsSeconds");
  expect(at({ podsSeconds: "" })).toBeUndefined();
  expect(at({ percent: "x" })).toBe("percent");
  expect(at({ percent: "10", percentSeconds: "0" })).toBe("percentSeconds");
});

it("knows what is set, and what the form does not show", () => {
  expect(hasBehaviour(SET)).toBe(true);
  expect(hasBehaviour({ scaleUp: {} })).toBe(false);
  expect(hasBehaviour(undefined)).toBe(false);
  expect(morePolicies(SET, "up")).toBe(1);
  expect(morePolicies(SET, "down")).toBe(0);
});
