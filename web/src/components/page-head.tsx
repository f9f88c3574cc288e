import { Plus } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "./button";

interface Props {
  /** Read aloud only: the breadcrumbs show it. */
  title: string;
  /** What the page is about, in a sentence. */
  children: ReactNode;
  /** Left of the button. */
  beside?: ReactNode;
  /** What can be made here; null for those who may not. */
  create: { label: string; onClick: () => void } | null;
}

/** The head of a page that is one table: a sentence, and the button that adds to it. */
export const PageHead = ({ title, children, beside, create }: Props) => (
  <div className="page-x flex flex-wrap items-center gap-3 py-3">
    <h1 className="sr-only">{title}</h1>
    <p className="min-w-0 flex-1 basis-72 text-muted">{children}</p>
    {beside}
    {create && (
      <Button
        look="primary"
        icon={<Plus className="size-4" aria-hidden />}
        onClick={create.onClick}
        className="max-sm:w-full"
      >
        {create.label}
      </Button>
    )}
  </div>
);
