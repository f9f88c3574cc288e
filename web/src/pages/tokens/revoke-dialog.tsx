import type { ApiToken } from "@/api/types";
import { Button } from "@/components/button";
import { Dialog } from "@/components/dialog";
import { Ago } from "@/components/time";

interface Props {
  token: ApiToken;
  onClose: () => void;
  onRevoke: () => void;
}

/** Whoever uses it is locked out at once; there is no way back but a new one. */
export function RevokeDialog({ token, onClose, onRevoke }: Props) {
  return (
    <Dialog
      open
      onClose={onClose}
      title={<span className="break-words">Revoke {token.name}</span>}
      description={
        token.last_used_at ? (
          <>
            Last used <Ago at={token.last_used_at} />
          </>
        ) : (
          "It was never used"
        )
      }
      footer={
        <>
          <Button data-confirm onClick={onClose}>
            Keep it
          </Button>
          <Button look="danger" onClick={onRevoke}>
            Revoke {token.name.length > 32 ? "the token" : token.name}
          </Button>
        </>
      }
    >
      <p>
        Whatever signs in with it is refused from now on. The way back is to create a new token and
        give it to that program.
      </p>
    </Dialog>
  );
}
