import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect } from "react";
import { isUnreachable } from "@/api/problem";
import { meQuery } from "@/api/queries";
import { Button } from "@/components/button";
import { Command } from "@/components/copy";
import { ProblemView } from "@/components/problem";
import { Logo } from "@/frame/logo";

/** Says how to sign in; holds no data. It goes on by itself once the browser is signed in. */
export function LoginPage() {
  const { from } = useSearch({ from: "/login" });
  const navigate = useNavigate();
  const client = useQueryClient();
  const me = useQuery({ ...meQuery, staleTime: 0, retry: false });
  const { isSuccess, isFetching } = me;
  useEffect(() => {
    document.title = "Sign in · Hermez";
  }, []);
  useEffect(() => {
    if (!isSuccess || isFetching) return;
    // What was refused before is worth asking again.
    client.removeQueries({ predicate: (query) => query.state.status === "error" });
    void navigate({ to: inside(from), replace: true });
  }, [isSuccess, isFetching, from, navigate, client]);

  return (
    <main className="mx-auto flex min-h-dvh max-w-md flex-col justify-center gap-5 px-6 py-10">
      <div className="flex items-center gap-3">
        <Logo className="size-8" />
        <h1 className="text-xl font-semibold">Sign in to Hermez</h1>
      </div>
      <p className="text-muted">
        On a machine where the <code className="font-mono text-xs">hermez</code> command line is
        signed in, ask for a link and open it in this browser. It works once, for ten minutes.
      </p>
      <Command text="hermez login-link" />
      <div className="flex items-center gap-3">
        <Button look="primary" busy={isFetching} onClick={() => me.refetch()}>
          I have opened the link
        </Button>
      </div>
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
