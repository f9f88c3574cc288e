import type { ReactNode } from "react";

interface Props {
  title: string;
  children?: ReactNode;
}

/** An empty place says what would be here and how to begin. */
export function Empty({ title, children }: Props) {
  return (
    <div className="page-x flex flex-col items-start gap-3 py-8">
      <p className="text-base font-medium">{title}</p>
      {children}
    </div>
  );
}
