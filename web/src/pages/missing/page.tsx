import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import { Button } from "@/components/button";
import { ProblemView } from "@/components/problem";
import { usePage } from "@/frame/page";

/** No such page. */
export function Missing() {
  usePage([{ label: "Not found" }]);
  return (
    <div className="page-x flex flex-col items-start gap-3 py-8">
      <h1 className="text-xl font-semibold">There is no page here</h1>
      <p className="text-muted">The address may be misspelt, or what it named was deleted.</p>
      <Button asChild>
        <Link to="/workloads">See all workloads</Link>
      </Button>
    </div>
  );
}

/** A page that broke: say so, and let it be tried again. */
export function Crash({ error, reset }: ErrorComponentProps) {
  return (
    <div className="page-x py-8">
      <ProblemView error={error} onRetry={reset} />
    </div>
  );
}
