import type { ReactNode } from "react";

interface Props {
  title: string;
  /** Whether it stands for the whole page, and its title for the page's. */
  page?: boolean;
  children?: ReactNode;
}

/** An empty place says what would be here and how to begin. */
export function Empty({ title, page, children }: Props) {
  const Title = page ? "h1" : "p";
  return (
    <div className="page-x flex flex-col items-start gap-3 py-8">
      <Title className="text-base font-medium wrap-anywhere">{title}</Title>
      {children}
    </div>
  );
}
