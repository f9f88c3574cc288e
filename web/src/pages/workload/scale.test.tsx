import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { makeQueryClient } from "@/api/queries";
import { mkFullWorkload, mkScale, mkScaleChange } from "@/test/make";
import { ScaleView } from "./scale";
import { ScaleDialog } from "./scale-dialogs";

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
