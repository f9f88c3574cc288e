import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { makeQueryClient } from "@/api/queries";
import { mkFullWorkload, mkScale, mkScaleChange } from "@/test/make";
import { ScaleView } from "./scale";
import { AutoscalingDialog, ScaleDialog } from "./scale-dialogs";

const show = (scale = mkScale(), onClose = () => {}) =>
  render(
    <QueryClientProvider client={makeQueryClient()}>
      <ScaleDialog workload={mkFullWorkload()} scale={scale} onClose={onClose} />
    </QueryClientProvider>,
  );

test("it says who says how many, and offers the way back to the file", () => {
  const change = mkScaleChange({ replicas: 5, state: "refused", message: "the quota is used up" });
  const scale = mkScale({ owner: "person", message: "ada asked for 5", ready: 2, change });
  render(<ScaleView scale={scale} byLoad={false} onAsk={() => {}} />);
  expect(screen.getByText("2 of 3 pods ready")).toBeTruthy();
  expect(screen.getByText("A person says how many.")).toBeTruthy();
  expect(screen.getByText(/quota is used up/)).toBeTruthy();
  expect(screen.getByRole("button", { name: "Back to the config file" })).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Autoscaling" })).toBeNull();
});

test("what cannot be scaled says why, and has no button for it", () => {
  const scale = mkScale({ scalable: false, why_not: "it was not deployed yet" });
  render(<ScaleView scale={scale} byLoad onAsk={() => {}} />);
  expect(screen.getByText(/not deployed yet/)).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Scale by hand" })).toBeNull();
});

test("a reason is required, and a refusal is shown with its hint", async () => {
  const user = userEvent.setup();
  const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(async () =>
    Response.json(
      {
        type: "urn:hermez:problem:autoscaled",
        title: "The workload follows its load",
        status: 409,
        detail: "Its autoscaler would change it at once.",
        hint: "Turn the autoscaler off.",
      },
      { status: 409, headers: { "content-type": "application/problem+json" } },
    ),
  );
  const onClose = vi.fn();
  show(mkScale({ owner: "autoscaler" }), onClose);
  const pods = screen.getByLabelText("Pods");
  await user.clear(pods);
  await user.type(pods, "5");
  const button = screen.getByRole("button", { name: "Scale to 5 pods" });
  expect(button).toBeDisabled();
  await user.type(screen.getByLabelText("Reason"), "the launch");
  await user.click(screen.getByLabelText(/Turn the autoscaler off/));
  await user.click(button);
  expect(await screen.findByText("Turn the autoscaler off.")).toBeTruthy();
  const request = fetched.mock.calls[0]?.[0] as Request;
  expect(await request.clone().json()).toEqual({
    replicas: 5,
    reason: "the launch",
    fixed: true,
    until: null,
  });
  expect(onClose).not.toHaveBeenCalled();
});

test("who wrote the number last is told, although a person says how many", () => {
  const change = mkScaleChange({ replicas: 5 });
  const scale = mkScale({ owner: "person", message: "ada: the launch", change });
  const last = { by: "kubectl", message: "kubectl wrote to the cluster itself" };
  render(<ScaleView scale={{ ...scale, last_change: last }} byLoad={false} onAsk={() => {}} />);
  expect(screen.getByText("A person says how many.")).toBeTruthy();
  expect(screen.getByText(/Last change/).textContent).toContain("Kubectl wrote");
});

test("an autoscaler's behaviour is folded away, and what the form does not show is kept", async () => {
  const user = userEvent.setup();
  const fetched = vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async () => Response.json(mkScaleChange({ kind: "autoscaling" })));
  const metrics = [{ type: "Pods", pods: {} }];
  const scale = mkScale({ owner: "autoscaler", autoscaling: { min: 2, max: 8, cpu: 70, metrics } });
  const onClose = vi.fn();
  render(
    <QueryClientProvider client={makeQueryClient()}>
      <AutoscalingDialog workload={mkFullWorkload()} scale={scale} onClose={onClose} />
    </QueryClientProvider>,
  );
  const summary = screen.getByText(/how fast it scales/);
  expect(summary.closest("details")?.open).toBe(false);
  await user.click(summary);
  const up = within(screen.getByRole("group", { name: "Scaling up" }));
  await user.type(up.getByLabelText("At most pods"), "4");
  await user.clear(up.getByLabelText("In seconds, for pods"));
  const button = screen.getByRole("button", { name: "Scale by load" });
  await user.type(screen.getByLabelText("Reason"), "the launch");
  expect(button).toBeDisabled();
  expect(up.getByText("A whole number from 1 to 1,800")).toBeTruthy();
  await user.type(up.getByLabelText("In seconds, for pods"), "30");
  await user.selectOptions(screen.getByLabelText("Which limit counts, scaling down"), "Disabled");
  await user.click(button);
  await vi.waitFor(() => expect(onClose).toHaveBeenCalled());
  const request = fetched.mock.calls[0]?.[0] as Request;
  expect(await request.clone().json()).toEqual({
    min: 2,
    max: 8,
    cpu: 70,
    memory: null,
    metrics,
    behavior: {
      scaleUp: { policies: [{ type: "Pods", value: 4, periodSeconds: 30 }] },
      scaleDown: { selectPolicy: "Disabled" },
    },
    reason: "the launch",
    until: null,
  });
});
