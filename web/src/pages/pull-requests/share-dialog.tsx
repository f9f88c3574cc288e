import { useMutation } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Preview, PullRequest, Workload } from "@/api/types";
import { Button } from "@/components/button";
import { FormDialog } from "@/components/form-dialog";
import { OnceDialog } from "@/components/once-dialog";
import { toastProblem } from "@/components/toast";
import { usePutPreview } from "./use-sleep";

interface Props {
  workload: Workload;
  pull: PullRequest;
  preview: Preview;
  onClose: () => void;
}

/** A link for people without an account; shown once, and taken back here. */
export function ShareDialog({ workload, pull, preview, onClose }: Props) {
  const put = usePutPreview(workload.name, pull.number);
  const make = useMutation({
    mutationFn: () => api.sharePreview(workload.name, pull.number),
    onSuccess: () => put({ shared: true }),
    // The answer has the link: it goes with the dialog.
    gcTime: 0,
  });
  const stop = useMutation({
    mutationFn: () => api.unsharePreview(workload.name, pull.number),
    onSuccess: () => {
      put({ shared: false });
      onClose();
    },
    onError: (error) => toastProblem("It stays shared", error),
  });
  if (make.data) {
    return (
      <OnceDialog
        title={`A link to the preview of pull request ${pull.number}`}
        description="Copy it now. It is shown this once."
        secret={make.data.url}
        label="Copy the link"
        onClose={onClose}
      >
        Anybody who has it may open the preview, without an account.
      </OnceDialog>
    );
  }
  return (
    <FormDialog
      title={`Share the preview of pull request ${pull.number}`}
      action={preview.shared ? "Make a new link" : "Make a link"}
      ready
      ask={make}
      onClose={onClose}
      beside={
        preview.shared && (
          <Button
            look="danger"
            busy={stop.isPending}
            onClick={() => stop.mutate()}
            className="mr-auto"
          >
            Stop sharing
          </Button>
        )
      }
    >
      <p>
        Anybody who has the link may open the preview, without an account, until you stop sharing it
        or the preview is removed.
      </p>
      {preview.shared && (
        <p className="text-muted">
          It is shared already. A new link takes the place of the old one, and whoever came by the
          old one is out.
        </p>
      )}
    </FormDialog>
  );
}
