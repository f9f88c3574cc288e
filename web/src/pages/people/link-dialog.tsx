import { useMutation } from "@tanstack/react-query";
import { api } from "@/api/client";
import { FormDialog } from "@/components/form-dialog";
import { OnceDialog } from "@/components/once-dialog";
import { Ago } from "@/components/time";

/** A link that signs a browser in once, as that person. */
export function LinkDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const make = useMutation({
    mutationFn: () => api.createLoginLink(name),
    // The answer has the link: it goes with the dialog.
    gcTime: 0,
  });
  if (make.data) {
    return (
      <OnceDialog
        title={`A sign-in link of ${name}`}
        description="Copy it now, and give it to nobody else. It is shown this once."
        secret={make.data.url}
        label="Copy the link"
        onClose={onClose}
      >
        It opens once; it ends <Ago at={make.data.expires_at} />.
      </OnceDialog>
    );
  }
  return (
    <FormDialog
      title={`Make a sign-in link of ${name}`}
      action="Make the link"
      ready
      ask={make}
      onClose={onClose}
    >
      <p className="wrap-anywhere">
        Whoever opens it first, within ten minutes, is signed in as {name} in that browser. It is on
        record that you made it.
      </p>
    </FormDialog>
  );
}
