import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { Field } from "./field";
import { FormDialog } from "./form-dialog";
import { AddRow, RowFields, useFormRows } from "./form-rows";

const idle = { mutate: () => {}, isPending: false, error: null };

function Waves({ save }: { save: (names: string[]) => void }) {
  const { rows, change, add, remove } = useFormRows(() => [{ name: "here" }, { name: "there" }]);
  return (
    <FormDialog
      title="Waves"
      action="Set the waves"
      ready={rows.every((row) => row.name !== "")}
      ask={{ ...idle, mutate: () => save(rows.map((row) => row.name)) }}
      onClose={() => {}}
    >
      {rows.map((row, index) => (
        <RowFields key={row.id} name={`wave ${index + 1}`} onRemove={() => remove(row.id)}>
          <Field
            label={`Name ${index + 1}`}
            value={row.name}
            onChange={(event) => change(row.id, { name: event.target.value })}
          />
        </RowFields>
      ))}
      <AddRow label="Add a wave" full={rows.length >= 3} onAdd={() => add({ name: "" })} />
    </FormDialog>
  );
}

test("rows are written, removed and added, each for itself", async () => {
  const user = userEvent.setup();
  const save = vi.fn();
  render(<Waves save={save} />);
  await user.click(screen.getByRole("button", { name: /^Remove ?wave 1$/ }));
  expect(screen.getByLabelText("Name 1")).toHaveValue("there");
  await user.click(screen.getByRole("button", { name: "Add a wave" }));
  expect(screen.getByRole("button", { name: "Set the waves" })).toBeDisabled();
  const second = within(screen.getByRole("group", { name: "wave 2" }));
  await user.type(second.getByRole("textbox"), "elsewhere");
  await user.click(screen.getByRole("button", { name: "Set the waves" }));
  expect(save).toHaveBeenCalledWith(["there", "elsewhere"]);
});

test("no more rows than fit are added", async () => {
  render(<Waves save={() => {}} />);
  const add = screen.getByRole("button", { name: "Add a wave" });
  await userEvent.click(add);
  expect(add).toBeDisabled();
});

test("what is confirmed has the focus as soon as it can be, and never takes it from a field", () => {
  const dialog = (ready: boolean) => (
    <FormDialog
      title="Roll back"
      action="Roll back"
      confirm
      ready={ready}
      ask={idle}
      onClose={() => {}}
    >
      <Field label="Reason" />
    </FormDialog>
  );
  const { rerender } = render(dialog(false));
  expect(screen.getByRole("button", { name: "Roll back" })).not.toHaveFocus();
  rerender(dialog(true));
  expect(screen.getByRole("button", { name: "Roll back" })).toHaveFocus();
  screen.getByLabelText("Reason").focus();
  rerender(dialog(false));
  rerender(dialog(true));
  expect(screen.getByLabelText("Reason")).toHaveFocus();
});

test("where there is nothing to ask for there is no button", () => {
  render(
    <FormDialog title="Roll back" action={null} ready={false} ask={idle} onClose={() => {}}>
      <p>Nothing ran before.</p>
    </FormDialog>,
  );
  expect(screen.getAllByRole("button").map((it) => it.getAttribute("aria-label"))).toEqual([
    "Close",
  ]);
});
