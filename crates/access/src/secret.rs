//! Text that is shown to nobody by accident.

/// A secret: printed as `[redacted]`, read only by [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself: for the answer that shows it once, a cookie, or a 0600 file.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The hash under which a secret is known.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

/// A new secret of 256 random bits: `prefix` and 64 hexadecimal digits.
pub(crate) fn generate(prefix: &str) -> Result<Secret, crate::KeyError> {
    let mut bytes = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| crate::KeyError::NoRandomness)?;
    Ok(Secret(format!("{prefix}{}", hex::encode(bytes))))
}
