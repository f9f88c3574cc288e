/** How fast an autoscaler scales (`behavior` of a HorizontalPodAutoscaler), as a form has it. */
import { wholeNumber, wrongNumber } from "./number";

export type Direction = "up" | "down";

/** One direction; empty leaves it to Kubernetes. */
export interface PaceForm {
  /** Seconds of the stabilisation window. */
  calm: string;
  /** At most so many pods in so many seconds. */
  pods: string;
  podsSeconds: string;
  /** At most so many percent of the pods in so many seconds. */
  percent: string;
  percentSeconds: string;
  /** Which of the two counts: "Max", "Min" or "Disabled". */
  select: string;
}

export type BehaviourForm = Record<Direction, PaceForm>;

/** Kubernetes' own limits. */
const MOST_CALM = 3_600;
const MOST_PERIOD = 1_800;
/** Kubernetes has none of its own for these; more is more than any cluster has. */
const MOST_VALUE = 1_000_000;

export const NO_PACE: PaceForm = {
  calm: "",
  pods: "",
  podsSeconds: "60",
  percent: "",
  percentSeconds: "60",
  select: "",
};

const RULES = { up: "scaleUp", down: "scaleDown" } as const;
const TYPES = { pods: "Pods", percent: "Percent" } as const;
type PolicyKind = keyof typeof TYPES;
const KINDS: readonly PolicyKind[] = ["pods", "percent"];

type Fields = Record<string, unknown>;
const text = (value: unknown): string => (typeof value === "number" ? String(value) : "");
const record = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {};
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** Where the policy stands that the form shows: the first of its type. */
const placeOf = (policies: unknown[], kind: PolicyKind): number =>
  policies.findIndex((it) => record(it).type === TYPES[kind]);

function paceForm(rules: Fields): PaceForm {
  const policies = list(rules.policies);
  const [pods, percent] = KINDS.map((kind) => record(policies[placeOf(policies, kind)]));
  return {
    calm: text(rules.stabilizationWindowSeconds),
    pods: text(pods?.value),
    podsSeconds: text(pods?.periodSeconds) || NO_PACE.podsSeconds,
    percent: text(percent?.value),
    percentSeconds: text(percent?.periodSeconds) || NO_PACE.percentSeconds,
    select: typeof rules.selectPolicy === "string" ? rules.selectPolicy : "",
  };
}

/** The form of what holds now. */
export const behaviourForm = (now: unknown): BehaviourForm => ({
  up: paceForm(record(record(now).scaleUp)),
  down: paceForm(record(record(now).scaleDown)),
});

/** Whether anything of it is set at all. */
export const hasBehaviour = (now: unknown): boolean =>
  Object.values(record(now)).some((rules) => Object.keys(record(rules)).length > 0);

/** How many policies of a direction stand beside those that the form shows. */
export function morePolicies(now: unknown, direction: Direction): number {
  const policies = list(record(record(now)[RULES[direction]]).policies);
  return policies.length - KINDS.filter((kind) => placeOf(policies, kind) >= 0).length;
}

/** Pure: the first that is wrong with one direction, at its field. */
export function paceWrong(form: PaceForm): { at: keyof PaceForm; wrong: string } | null {
  const checks: [keyof PaceForm, string | null][] = [
    ["calm", form.calm.trim() && wrongNumber(form.calm, 0, MOST_CALM)],
    ["pods", form.pods.trim() && wrongNumber(form.pods, 1, MOST_VALUE)],
    ["podsSeconds", form.pods.trim() && wrongNumber(form.podsSeconds, 1, MOST_PERIOD)],
    ["percent", form.percent.trim() && wrongNumber(form.percent, 1, MOST_VALUE)],
    ["percentSeconds", form.percent.trim() && wrongNumber(form.percentSeconds, 1, MOST_PERIOD)],
  ];
  const [at, wrong] = checks.find(([, words]) => words) ?? [];
  return at && wrong ? { at, wrong } : null;
}

/** The policies with the form's two in their places; others stay as they are. */
function policiesOf(form: PaceForm, before: unknown[]): unknown[] {
  const policies: (unknown | null)[] = [...before];
  for (const kind of KINDS) {
    const value = wholeNumber(form[kind]);
    const periodSeconds = wholeNumber(form[`${kind}Seconds`]);
    const place = placeOf(before, kind);
    const policy =
      value === null ? null : { ...record(before[place]), type: TYPES[kind], value, periodSeconds };
    if (place >= 0) policies[place] = policy;
    else policies.push(policy);
  }
  return policies.filter((it) => it !== null);
}

function rulesOf(form: PaceForm, before: Fields): Fields {
  const { stabilizationWindowSeconds: _, selectPolicy: __, policies: known, ...rest } = before;
  const calm = wholeNumber(form.calm);
  const policies = policiesOf(form, list(known));
  return {
    ...rest,
    ...(calm !== null && { stabilizationWindowSeconds: calm }),
    ...(form.select !== "" && { selectPolicy: form.select }),
    // Kubernetes takes no empty list; without one it has its own.
    ...(policies.length > 0 && { policies }),
  };
}

/** Pure: what a right form asks for. What it does not show stays as it is; null is nothing at all. */
export function behaviourAsked(form: BehaviourForm, now: unknown): Fields | null {
  const { scaleUp, scaleDown, ...others } = record(now);
  const up = rulesOf(form.up, record(scaleUp));
  const down = rulesOf(form.down, record(scaleDown));
  const asked = {
    ...others,
    ...(Object.keys(up).length > 0 && { scaleUp: up }),
    ...(Object.keys(down).length > 0 && { scaleDown: down }),
  };
  return Object.keys(asked).length === 0 ? null : asked;
}
