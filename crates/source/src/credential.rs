//! What a repository or a forge asks for before it lets Hermez in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// User name and password (or access token) for a repository. `Debug` shows the name only.
#[derive(Debug, Clone)]
pub struct Credential {
    /// User name; may be empty where a token alone is enough.
    pub username: String,
    /// Password or access token.
    pub password: SecretString,
}

impl Credential {
    /// Puts a user name and a password together.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: SecretString::from(password.into()),
        }
    }

    /// The value of an `Authorization` header for HTTP Basic.
    pub(crate) fn basic(&self) -> SecretString {
        let pair = format!("{}:{}", self.username, self.password.expose_secret());
        SecretString::from(format!("Basic {}", STANDARD.encode(pair)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_password() {
        let shown = format!("{:?}", Credential::new("ada", "hunter2"));
        assert!(shown.contains("ada"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn basic_is_rfc_7617() {
        let header = Credential::new("Aladdin", "open sesame").basic();
        assert_eq!(header.expose_secret(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }
}
