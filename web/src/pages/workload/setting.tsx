import type { ReactNode } from "react";

interface SettingProps {
  name: string;
  help: string;
  children: ReactNode;
}

/** A thing that can be set: what it is, and its state with what changes it. */
export function Setting({ name, help, children }: SettingProps) {
  return (
    <section className="grid gap-x-8 gap-y-2 border-b pb-5 last:border-b-0 sm:grid-cols-[14rem_1fr]">
      <div>
        <h2 className="font-medium">{name}</h2>
        <p className="text-faint">{help}</p>
      </div>
      <div className="min-w-0">{children}</div>
    </section>
  );
}
