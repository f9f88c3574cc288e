import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { CircleX } from "lucide-react";
import { useEffect, useState } from "react";
import { isSignedOut, isUnreachable } from "@/api/problem";
import { meQuery } from "@/api/queries";
import { Button } from "@/components/button";
import { Command } from "@/components/copy";
import { ProblemView } from "@/components/problem";
import { Logo } from "@/frame/logo";

/** Says how to sign in; holds no data. It goes on by itself once the browser is signed in. */
export function LoginPage() {
  const { from, link } = useSearch({ from: "/login" });
  const navigate = useNavigate();
  const client = useQueryClient();
  const me = useQuery({ ...meQuery, staleTime: 0, retry: false });
  const { isSuccess, isFetching } = me;
  const [asked, setAsked] = useState(false);
  const ask = () => {
    setAsked(true);
    void me.refetch();
  };
  useEffect(() => {
    document.title = "Sign in · Hermez";
  }, []);
  useEffect(() => {
    if (!isSuccess || isFetching) return;
    // What was refused before is worth asking again.
    client.removeQueries({ predicate: (query) => query.state.status === "error" });
    const to = inside(from);
    // A preview's door is the server's, not a page of these.
    if (to.startsWith("/previews/open?")) window.location.replace(to);
    else void navigate({ to, replace: true });
  }, [isSuccess, isFetching, from, navigate, client]);

  return (
    <main className="mx-auto flex min-h-dvh max-w-md flex-col justify-center gap-5 px-6 py-10">
      <div className="flex items-center gap-3">
        <Logo className="size-8" />
        <h1 className="text-xl font-semibold">Sign in to Hermez</h1>
      </div>
      {link === "used" && (
        <p role="alert" className="flex gap-2.5 rounded-lg bg-failed-soft px-4 py-3">
          <CircleX className="mt-0.5 size-4 shrink-0 text-failed" aria-hidden />
          <span>
            <span className="font-medium">That link does not sign in any more.</span> It was opened
            before, or it is older than ten minutes. Ask for another.
          </span>
        </p>
      )}
      <p className="text-muted">
        On a machine where the <code className="font-mono text-xs">hermez</code> command line is
        signed in, ask for a link and open it in this browser. It works once, for ten minutes
        {link === undefined && ": a link that leads back here was opened before, or is too old"}.
      </p>
      <Command text="hermez login-link" />
      <div className="flex items-center gap-3">
        <Button look="primary" busy={isFetching} onClick={ask}>
          I have opened the link
        </Button>
      </div>
      {asked && !isFetching && isSignedOut(me.error) && (
        <p role="status" className="text-muted">
          This browser is not signed in yet.
        </p>
      )}
      {isUnreachable(me.error) && <ProblemView error={me.error} />}
    </main>
  );
}

/** Only a path of our own; never another site. */
function inside(from: string | undefined): string {
  return from?.startsWith("/") && !from.startsWith("//") && !from.includes("\\")
    ? from
    : "/workloads";
}
