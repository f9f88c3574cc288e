import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { makeQueryClient } from "@/api/queries";
import type { DeliveryPerformance } from "@/api/types";
import { WorkloadDelivery } from "./panel";

const performance: DeliveryPerformance = {
  since: "2026-01-01T00:00:00Z",
  until: "2026-01-31T00:00:00Z",
  enough: 3,
  complete: true,
  deployment_frequency: { deploys: 22, per_week: 5.13 },
  lead_time: { changes: 2, unknown: 0, median_ms: null, p90_ms: null },
  change_failure_rate: { deploys: 24, failed: 3, rate: 0.125 },
  time_to_restore: { incidents: 3, open: 1, median_ms: 185_000 },
  weeks: [{ begins: "2026-01-05T00:00:00Z", deploys: 5, failed: 1, rollbacks: 0 }],
};

const show = () =>
  render(
    <QueryClientProvider client={makeQueryClient()}>
      <WorkloadDelivery name="hello" />
    </QueryClientProvider>,
  );

test("the four figures stand with what is behind them, for the span that is chosen", async () => {
  const user = userEvent.setup();
  const fetched = vi
    .spyOn(globalThis, "fetch")
    .mockImplementation(async () => Response.json(performance));
  show();
  expect(await screen.findByText("5.1 a week")).toBeTruthy();
  expect(screen.getByText("too few to say: 2 of at least 3")).toBeTruthy();
  expect(screen.getByText("1 not restored yet")).toBeTruthy();
  expect(screen.getByText("Week of 5 Jan: 5 deploys, 1 went wrong")).toBeTruthy();
  await user.selectOptions(screen.getByLabelText("Span of time"), "90");
  await vi.waitFor(() => expect(fetched).toHaveBeenCalledTimes(2));
  const request = fetched.mock.calls[1]?.[0] as Request;
  const url = new URL(request.url);
  expect(url.pathname + url.search).toBe("/api/v1/workloads/hello/delivery-performance?days=90");
});

test("a server that has no figures has no panel", async () => {
  const missing = {
    type: "urn:hermez:problem:not-found",
    title: "There is nothing here",
    status: 404,
  };
  vi.spyOn(globalThis, "fetch").mockImplementation(async () =>
    Response.json(missing, { status: 404 }),
  );
  show();
  await vi.waitFor(() => expect(screen.queryByRole("region", { name: "Delivery" })).toBeNull());
});
