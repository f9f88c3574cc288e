import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { ProblemError } from "@/api/problem";
import { CopyButton } from "./copy";
import { Dialog } from "./dialog";
import { LogText } from "./log/line";
import { ProblemView } from "./problem";
import { RolloutBar } from "./rollout-bar";
import { type Column, DataTable } from "./table";
import { Words } from "./words";

it("says what happened, where, what to write instead, and an id to quote", () => {
  const error = new ProblemError({
    type: "urn:hermez:problem:config",
    title: "The config file has a mistake",
    status: 422,
    detail: "One field is not known.",
    hint: "Push the change, then try again.",
    request_id: "01J9",
    places: [
      {
        file: "deploy/service.yaml",
        line: 8,
        column: 3,
        field: "spec.loadbalncer",
        message: "No such field.",
        hint: "Did you mean loadbalancer?",
      },
    ],
  });
  render(<ProblemView error={error} />);
  const alert = screen.getByRole("alert");
  for (const words of [
    "The config file has a mistake",
    "deploy/service.yaml:8:3",
    "spec.loadbalncer",
    "Did you mean loadbalancer?",
    "Push the change, then try again.",
    "01J9",
  ]) {
    expect(alert).toHaveTextContent(words);
  }
});

it("never makes elements of a log's text", () => {
  const hostile = '<img src=x onerror="alert(1)"><script>alert(1)</script>';
  const { container } = render(<LogText text={hostile} search="alert" />);
  expect(container.querySelector("img, script")).toBeNull();
  expect(container).toHaveTextContent(hostile);
  expect(container.querySelectorAll("mark")).toHaveLength(2);
});

it("says in words what the bar of pods shows", () => {
  const counts = { ready: 2, starting: 1, failing: 0, old: 0, missing: 0 };
  const { rerender } = render(<RolloutBar counts={counts} />);
  expect(screen.getByRole("img", { name: "2 ready · 1 starting" }).children).toHaveLength(3);
  rerender(<RolloutBar counts={{ ...counts, ready: 900, old: 100 }} />);
  expect(screen.getByRole("img").children).toHaveLength(3);
});

interface Row {
  name: string;
  pods: number;
}

const columns: Column<Row>[] = [
  {
    id: "name",
    header: "Name",
    sort: (row) => row.name,
    cell: (row) => (
      <a href={`#${row.name}`} data-row-link>
        {row.name}
      </a>
    ),
  },
  { id: "pods", header: "Pods", sort: (row) => row.pods, cell: (row) => row.pods },
];
const rows = [
  { name: "b", pods: 10 },
  { name: "a", pods: 9 },
];
const order = () => screen.getAllByRole("link").map((link) => link.textContent);

it("sorts by a column's values, turns, and lets go", async () => {
  const user = userEvent.setup();
  render(<DataTable label="Rows" columns={columns} rows={rows} rowId={(row) => row.name} />);
  const pods = screen.getByRole("button", { name: "Pods" });
  expect(order()).toEqual(["b", "a"]);
  await user.click(pods);
  expect(order()).toEqual(["a", "b"]);
  expect(screen.getByRole("columnheader", { name: "Pods" })).toHaveAttribute(
    "aria-sort",
    "ascending",
  );
  await user.click(pods);
  await user.click(screen.getByRole("button", { name: "Name" }));
  expect(order()).toEqual(["a", "b"]);
});

it("moves from row to row by the arrow keys and by j and k", async () => {
  Element.prototype.scrollIntoView = vi.fn();
  const user = userEvent.setup();
  render(<DataTable label="Rows" columns={columns} rows={rows} rowId={(row) => row.name} />);
  await user.keyboard("{ArrowDown}");
  expect(screen.getByRole("link", { name: "b" })).toHaveFocus();
  await user.keyboard("jj");
  expect(screen.getByRole("link", { name: "a" })).toHaveFocus();
  await user.keyboard("k");
  expect(screen.getByRole("link", { name: "b" })).toHaveFocus();
});

it("begins in a dialog where there is something to do, and closes by Escape", async () => {
  const user = userEvent.setup();
  const onClose = vi.fn();
  render(
    <Dialog open onClose={onClose} title="Delete hello">
      <input aria-label="Name" data-first />
    </Dialog>,
  );
  expect(screen.getByLabelText("Name")).toHaveFocus();
  await user.keyboard("{Escape}");
  expect(onClose).toHaveBeenCalledOnce();
});

it("says that it copied", async () => {
  const user = userEvent.setup();
  render(<CopyButton text="hermez login-link" label="Copy the command" />);
  await user.click(screen.getByRole("button", { name: "Copy the command" }));
  expect(await screen.findByRole("button", { name: "Copied" })).toBeInTheDocument();
  expect(await navigator.clipboard.readText()).toBe("hermez login-link");
});

it("sets what a sentence quotes as code", () => {
  const { container, rerender } = render(<Words text="there is no `a/b.yaml` at `95f6178`" />);
  expect(container).toHaveTextContent("There is no a/b.yaml at 95f6178");
  expect(container.querySelectorAll("code")).toHaveLength(2);
  rerender(<Words text="http://a.example/b.git cannot be reached" />);
  expect(container).toHaveTextContent(/^http:/);
  rerender(<Words text="pin-closeup has no earlier version" />);
  expect(container).toHaveTextContent(/^pin-closeup/);
  rerender(<Words text="an odd ` stands alone" />);
  expect(container).toHaveTextContent("An odd ` stands alone");
});
