//! API tokens.

use hermez_api::{ApiToken, CreatedToken, Page};
use hermez_store::PageRequest;
use serde_json::json;

use crate::{AccessError, Action, Gate, GateError, Principal, Role, Target, secret};

/// What every token begins with, so that scanners of leaked secrets know it.
pub(crate) const PREFIX: &str = "hermez_";
/// Longest name, in characters.
const MAX_NAME: usize = 100;

/// The name of a token, without what surrounds it.
pub(crate) fn checked(name: &str) -> Result<&str, AccessError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.contains(char::is_control) {
        return Err(AccessError::Invalid {
            message: format!("a token's name has 1 to {MAX_NAME} characters without line breaks"),
            hint: "write what it is for".to_owned(),
        });
    }
    Ok(name)
}

impl Gate {
    /// Makes a token for `principal` itself; passes the gate by itself. The name has 1 to 100
    /// characters.
    pub async fn create_token(
        &self,
        principal: &Principal,
        name: &str,
    ) -> Result<CreatedToken, AccessError> {
        let name = checked(name)?;
        let target = Target::Principal(principal.name.clone());
        let make = self.new_token(principal.id, name);
        let detail = json!({ "name": name });
        let changed = self.change(principal, Action::TokenCreate, target, detail, make);
        changed.await.map_err(GateError::flatten)
    }

    /// Keeps a new token, outside of the gate.
    pub(crate) async fn new_token(
        &self,
        principal_id: i64,
        name: &str,
    ) -> Result<CreatedToken, AccessError> {
        let secret = secret::generate(PREFIX)?;
        let hash = secret::hash(secret.expose());
        let token = self
            .store
            .create_token(principal_id, name, &hash, self.now())
            .await?;
        Ok(CreatedToken {
            token,
            secret: secret.expose().to_owned(),
        })
    }

    /// Tokens, newest first: everybody's for an owner, else one's own.
    pub async fn tokens(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<ApiToken>, AccessError> {
        let target = Target::Principal(principal.name.clone());
        self.look(principal, Action::TokenRead, &target).await?;
        let owner = (principal.role != Role::Owner).then_some(principal.id);
        Ok(self.store.tokens(owner, page).await?)
    }

    /// Revokes a token; passes the gate by itself. Revoking it again changes nothing.
    pub async fn revoke_token(
        &self,
        principal: &Principal,
        id: &str,
    ) -> Result<ApiToken, AccessError> {
        let number: Option<i64> = id.parse().ok();
        let target = Target::Token(id.chars().take(40).collect());
        let revoke = async {
            let missing = || AccessError::NotFound {
                what: "token",
                key: id.chars().take(40).collect(),
            };
            let number = number.ok_or_else(missing)?;
            self.store.token(number).await?.ok_or_else(missing)?;
            Ok::<_, AccessError>(self.store.revoke_token(number, self.now()).await?)
        };
        let revoked = self.change(principal, Action::TokenRevoke, target, json!({}), revoke);
        revoked.await.map_err(GateError::flatten)
    }
}
