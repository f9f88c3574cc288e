//! The server's own key: seals passwords at rest, and derives the keys of webhooks.

use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;

use crate::{KeyError, Secret, file, secret};

/// First byte of everything sealed: how it was sealed.
const VERSION: u8 = 1;

/// The server's key (256 bits), kept in a file of mode 0600.
#[derive(Clone)]
pub struct SecretKey {
    bytes: [u8; 32],
}

impl SecretKey {
    /// Reads the key, or makes one (atomically, mode 0600) where there is no file.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        let text = if let Some(text) = file::read_private(path)? {
            text
        } else {
            let new = secret::generate("")?;
            file::create_private(path, new.expose())?
        };
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| KeyError::Malformed {
            path: path.to_owned(),
        })?;
        Ok(Self { bytes })
    }

    /// Encrypts `plain` (AES-256-GCM) so that it opens only with the same `purpose`.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut text = plain.to_vec();
        let nonce = self
            .sealing_key()?
            .seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut text)
            .map_err(|_| KeyError::NoRandomness)?;
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// Decrypts what [`SecretKey::seal`] made for the same `purpose`.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let Some((&VERSION, rest)) = sealed.split_first() else {
            return Err(KeyError::CannotOpen);
        };
        let Some((nonce, text)) = rest.split_first_chunk::<NONCE_LEN>() else {
            return Err(KeyError::CannotOpen);
        };
        let mut text = text.to_vec();
        let plain = self
            .sealing_key()?
            .open_in_place(Nonce::from(nonce), Aad::from(purpose.as_bytes()), &mut text)
            .map_err(|_| KeyError::CannotOpen)?;
        Ok(plain.to_vec())
    }

    /// A secret for `purpose`, always the same: 64 hexadecimal digits of HMAC-SHA-256.
    pub fn derive(&self, purpose: &str) -> Secret {
        Secret::new(hex::encode(self.tag(&format!("derive/{purpose}"))))
    }

    /// The secret of a repository's webhook.
    pub fn webhook_secret(&self, repository_id: i64) -> Secret {
        self.derive(&format!("webhook/{repository_id}"))
    }

    /// A key of its own for sealing, so that no derived secret is ever a key.
    fn sealing_key(&self) -> Result<RandomizedNonceKey, KeyError> {
        RandomizedNonceKey::new(&AES_256_GCM, self.tag("seal").as_ref())
            .map_err(|_| KeyError::CannotOpen)
    }

    fn tag(&self, purpose: &str) -> hmac::Tag {
        hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, &self.bytes),
            purpose.as_bytes(),
        )
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mk_key(folder: &tempfile::TempDir) -> SecretKey {
        SecretKey::load_or_create(&folder.path().join("key")).unwrap()
    }

    #[test]
    fn the_key_stays_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (mk_key(&folder), mk_key(&folder));
        assert_eq!(first.bytes, second.bytes);
        let mode = std::fs::metadata(folder.path().join("key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = mk_key(&tempfile::tempdir().unwrap());
        assert_ne!(first.bytes, other.bytes);
        assert!(!format!("{first:?}").contains(&hex::encode(first.bytes)));
    }

    #[test]
    fn a_key_that_others_may_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        mk_key(&folder);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = SecretKey::load_or_create(&path).unwrap_err();
        assert!(
            matches!(error, KeyError::TooOpen { mode: 0o644, .. }),
            "{error}"
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "nonsense").unwrap();
        let error = SecretKey::load_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyError::Malformed { .. }), "{error}");
    }

    #[test]
    fn what_is_sealed_opens_only_whole_with_the_same_key_and_purpose() {
        let folder = tempfile::tempdir().unwrap();
        let key = mk_key(&folder);
        let sealed = key.seal("repository", b"hunter2").unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_ne!(
            sealed,
            key.seal("repository", b"hunter2").unwrap(),
            "nonces differ"
        );
        assert_eq!(key.open("repository", &sealed).unwrap(), b"hunter2");
        assert!(key.open("other", &sealed).is_err());
        let other = mk_key(&tempfile::tempdir().unwrap());
        assert!(other.open("repository", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(key.open("repository", &changed).is_err(), "byte {index}");
            assert!(
                key.open("repository", &sealed[..index]).is_err(),
                "cut at {index}"
            );
        }
    }

    #[test]
    fn derived_secrets_are_stable_and_differ() {
        let folder = tempfile::tempdir().unwrap();
        let key = mk_key(&folder);
        assert_eq!(key.webhook_secret(1), key.webhook_secret(1));
        assert_ne!(key.webhook_secret(1), key.webhook_secret(2));
        assert_eq!(key.webhook_secret(1).expose().len(), 64);
    }
}
