//! The first owner and their token file.

use std::path::Path;

use hermez_store::PageRequest;
use serde_json::json;

use crate::{
    AccessError, Action, Gate, GateError, KeyError, Principal, Role, Target, Via, file, gate,
    secret,
};

/// Name of the first owner.
pub const OWNER: &str = "owner";

/// What [`Gate::bootstrap`] found or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// The owner.
    pub owner: Principal,
    /// Whether a new token was written to the file.
    pub token_written: bool,
}

/// Name of the token in the file.
const TOKEN_NAME: &str = "token file of the server";

impl Gate {
    /// Makes the first owner where there is none, and sees to it that `token_file` (mode 0600)
    /// holds a token of theirs that works; one that works already stays. Tokens of earlier files
    /// are revoked when a new one is written: nobody knows where those files went.
    pub async fn bootstrap(&self, token_file: &Path) -> Result<Bootstrap, AccessError> {
        let record = self
            .store
            .ensure_principal(OWNER, Role::Owner.as_str(), self.now())
            .await?;
        let owner = gate::principal(record, Via::System);
        if self.holds_a_working_token(token_file, &owner).await? {
            return Ok(Bootstrap {
                owner,
                token_written: false,
            });
        }
        let write = Box::pin(async {
            // The new one first: its line of the record is kept with it.
            let made = self.new_token(owner.id, TOKEN_NAME).await?;
            file::replace_private(token_file, &made.secret)?;
            self.revoke_earlier(&owner, &made.token.id).await?;
            Ok::<_, AccessError>(())
        });
        let target = Target::Principal(owner.name.clone());
        let detail = json!({ "name": TOKEN_NAME, "file": token_file.display().to_string() });
        self.change(
            &Principal::system(),
            Action::TokenCreate,
            target,
            detail,
            write,
        )
        .await
        .map_err(GateError::flatten)?;
        Ok(Bootstrap {
            owner,
            token_written: true,
        })
    }

    /// Whether the file is private and holds a token of `owner` that is not revoked.
    async fn holds_a_working_token(
        &self,
        token_file: &Path,
        owner: &Principal,
    ) -> Result<bool, AccessError> {
        let text = match file::read_private(token_file) {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(false),
            Err(KeyError::TooOpen { path, mode }) => {
                tracing::warn!(path = %path.display(), mode = format!("{mode:04o}"), "others could read the token file; its token is replaced");
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let found = self.store.token_by_hash(&secret::hash(text.trim())).await?;
        Ok(found.is_some_and(|token| token.revoked_at.is_none() && token.principal.id == owner.id))
    }

    async fn revoke_earlier(&self, owner: &Principal, newest: &str) -> Result<(), AccessError> {
        let mut cursor = None;
        loop {
            let request = PageRequest::new(cursor, Some(PageRequest::MAX_LIMIT));
            let page = self.store.tokens(Some(owner.id), &request).await?;
            for token in page.items {
                let earlier =
                    token.name == TOKEN_NAME && token.id != newest && token.revoked_at.is_none();
                if let (true, Ok(id)) = (earlier, token.id.parse()) {
                    self.store.revoke_token(id, self.now()).await?;
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }
}
