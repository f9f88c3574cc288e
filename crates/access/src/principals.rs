//! Adding people and programs, and letting them in.

use hermez_api::{CreatedToken, Page, Principal as Shown};
use hermez_store::PageRequest;
use serde_json::json;

use crate::{
    AccessError, Action, Gate, GateError, NewLoginLink, Principal, Role, Target, Via, gate,
};

/// Longest name, in characters.
const MAX_NAME: usize = 63;
/// Names that the record of changes gives to what is no person.
const RESERVED: [&str; 4] = ["hermez", "forge", "push", "system"];

fn checked(name: &str, role: &str) -> Result<(), AccessError> {
    let fits = name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c));
    if !fits {
        return Err(AccessError::Invalid(format!(
            "a name has 1 to {MAX_NAME} lower-case letters, digits, `.`, `_` and `-`, and begins with a letter"
        )));
    }
    if RESERVED.contains(&name) {
        return Err(AccessError::Invalid(format!(
            "the record of changes calls something else `{name}`; choose another name"
        )));
    }
    if ![Role::Owner, Role::Viewer]
        .map(Role::as_str)
        .contains(&role)
    {
        return Err(AccessError::Invalid(
            "a role is `owner` (may do everything) or `viewer` (may look)".to_owned(),
        ));
    }
    Ok(())
}

fn target(name: &str) -> Target {
    Target::Principal(name.chars().take(MAX_NAME).collect())
}

impl Gate {
    /// Adds a person or program with a role (`owner` or `viewer`); passes the gate by itself.
    pub async fn create_principal(
        &self,
        by: &Principal,
        name: &str,
        role: &str,
    ) -> Result<Shown, AccessError> {
        let make = async {
            checked(name, role)?;
            let made = self.store.create_principal(name, role, self.now()).await?;
            Ok::<_, AccessError>(made)
        };
        let shown: String = role.chars().take(MAX_NAME).collect();
        let detail = json!({ "role": shown });
        let changed = self.change(by, Action::PrincipalCreate, target(name), detail, make);
        changed.await.map_err(GateError::flatten)
    }

    /// People and programs, in the order in which they were added.
    pub async fn principals(
        &self,
        by: &Principal,
        page: &PageRequest,
    ) -> Result<Page<Shown>, AccessError> {
        self.look(by, Action::PrincipalRead, &Target::Server)
            .await?;
        Ok(self.store.principals(page).await?)
    }

    /// Makes a login link for somebody else; passes the gate by itself.
    pub async fn create_login_link_for(
        &self,
        by: &Principal,
        name: &str,
    ) -> Result<NewLoginLink, AccessError> {
        let make = async {
            let whose = self.known(name).await?;
            self.new_login_link(whose.id).await
        };
        let changed = self.change(by, Action::LoginLinkCreate, target(name), json!({}), make);
        changed.await.map_err(GateError::flatten)
    }

    /// Makes a token for somebody else; passes the gate by itself.
    pub async fn create_token_for(
        &self,
        by: &Principal,
        name: &str,
        token: &str,
    ) -> Result<CreatedToken, AccessError> {
        let token = crate::tokens::checked(token)?;
        let make = async {
            let whose = self.known(name).await?;
            self.new_token(whose.id, token).await
        };
        let detail = json!({ "name": token });
        let changed = self.change(by, Action::TokenCreate, target(name), detail, make);
        changed.await.map_err(GateError::flatten)
    }

    async fn known(&self, name: &str) -> Result<Principal, AccessError> {
        let found = self.store.principal_by_name(name).await?;
        let found = found.ok_or_else(|| AccessError::NotFound {
            what: "principal",
            key: name.chars().take(MAX_NAME).collect(),
        })?;
        Ok(gate::principal(found, Via::System))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_roles_are_checked() {
        for name in ["ada", "ada.lovelace", "ci-2", &"a".repeat(63)] {
            assert!(checked(name, "viewer").is_ok(), "{name}");
        }
        for name in [
            "",
            "Ada",
            "2nd",
            "a b",
            "a/b",
            "push",
            "hermez",
            &"a".repeat(64),
        ] {
            assert!(checked(name, "owner").is_err(), "{name}");
        }
        for role in ["", "forge", "system", "wizard"] {
            assert!(checked("ada", role).is_err(), "{role}");
        }
    }
}
