import type { Principal } from "@/api/types";
import { Button } from "@/components/button";
import { Dialog } from "@/components/dialog";
import { roleWord } from "@/lib/people";

interface Props {
  added: Principal;
  onClose: () => void;
  onLink: () => void;
  onToken: () => void;
}

/** Who was added has nothing to sign in with yet. */
export function AddedDialog({ added, onClose, onLink, onToken }: Props) {
  return (
    <Dialog
      open
      onClose={onClose}
      title={<span className="wrap-anywhere">{added.name} is added</span>}
      description={roleWord(added.role)}
      footer={
        <>
          <Button onClick={onToken}>Create a token</Button>
          <Button look="primary" data-confirm onClick={onLink}>
            Make a sign-in link
          </Button>
        </>
      }
    >
      <p>
        Let them in: a person with a link, which signs a browser in once; a program, or somebody's
        command line, with a token. Both can be made later, too.
      </p>
    </Dialog>
  );
}
