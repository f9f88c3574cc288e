import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { expect, it, vi } from "vitest";
import { Button } from "./button";
import { Dialog } from "./dialog";

function Page() {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>Delete hello</Button>
      {open && (
        <Dialog open onClose={() => setOpen(false)} title="Delete hello">
          <input aria-label="Name" data-first />
        </Dialog>
      )}
    </>
  );
}

it("gives the focus back to what opened it", async () => {
  const user = userEvent.setup();
  render(<Page />);
  const button = screen.getByRole("button", { name: "Delete hello" });
  await user.click(button);
  expect(screen.getByLabelText("Name")).toHaveFocus();
  await user.keyboard("{Escape}");
  await vi.waitFor(() => expect(button).toHaveFocus());
});

it("keeps the focus on a busy button, which does nothing", async () => {
  const user = userEvent.setup();
  const onClick = vi.fn();
  const onSubmit = vi.fn((event: React.FormEvent) => event.preventDefault());
  render(
    <form onSubmit={onSubmit}>
      <input aria-label="Name" />
      <Button type="submit" busy onClick={onClick}>
        Deploy
      </Button>
    </form>,
  );
  await user.click(screen.getByRole("button", { name: "Deploy" }));
  expect(screen.getByRole("button", { name: "Deploy" })).toHaveFocus();
  await user.type(screen.getByLabelText("Name"), "x{Enter}");
  expect(onClick).not.toHaveBeenCalled();
  expect(onSubmit).not.toHaveBeenCalled();
});
