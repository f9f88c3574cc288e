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
        return Err(AccessError::Invalid {
            message: format!("nobody can be called `{}`", bounded(name)),
            hint: format!(
                "a name has 1 to {MAX_NAME} lower-case letters, digits, `.`, `_` and `-`, and begins with a letter"
            ),
        });
    }
    if RESERVED.contains(&name) {
        return Err(AccessError::Invalid {
            message: format!("the record of changes calls something else `{name}`"),
            hint: format!("choose another name than {}", RESERVED.join(", ")),
        });
    }
    if ![Role::Owner, Role::Viewer]
        .map(Role::as_str)
        .contains(&role)
    {
        return Err(AccessError::Invalid {
            message: format!("there is no role `{}`", bounded(role)),
            hint: "a role is `owner` (may do everything) or `viewer` (may look)".to_owned(),
        });
    }
    Ok(())
}

/// A text as far as names go.
fn bounded(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}

fn target(name: &str) -> Target {
    Target::Principal(bounded(name))
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
        let detail = json!({ "role": bounded(role) });
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
            key: bounded(name),
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

    #[test]
    fn a_refusal_says_what_is_possible() {
        let refused = |name: &str, role: &str| match checked(name, role) {
            Err(AccessError::Invalid { message, hint }) => (message, hint),
            other => panic!("{other:?}"),
        };
        let (message, hint) = refused("Ada B", "viewer");
        assert_eq!(message, "nobody can be called `Ada B`");
        assert!(hint.contains("lower-case letters"), "{hint}");
        let (message, hint) = refused("push", "viewer");
        assert!(message.contains("`push`"), "{message}");
        assert!(hint.contains("hermez, forge, push, system"), "{hint}");
        let (message, hint) = refused("ada", &"x".repeat(1000));
        assert!(message.len() < 100, "{message}");
        assert!(hint.contains("`viewer`"), "{hint}");
    }
}
