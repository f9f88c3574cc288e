//! What can go wrong with a registry, each with what to do about it.

/// Why an image or a manifest could not be found, written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// It is no reference to an image.
    #[error("`{reference}` is not an image reference: {reason}")]
    InvalidReference {
        /// As given (shortened).
        reference: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The registry answers, and has no such image or artifact.
    #[error("there is no `{reference}`")]
    NotFound {
        /// The reference.
        reference: String,
    },
    /// The registry wants other credentials, or any.
    #[error("the registry at {registry} refuses access to `{reference}`")]
    Unauthorized {
        /// The registry.
        registry: String,
        /// The reference.
        reference: String,
    },
    /// Nothing answers there, or too slowly.
    #[error("the registry at {registry} cannot be reached: {reason}")]
    Unreachable {
        /// The registry.
        registry: String,
        /// What the network said.
        reason: String,
    },
    /// What the registry sent is not what its digest promises.
    #[error("`{reference}` is damaged: the registry sent other bytes than its digest promises")]
    DigestMismatch {
        /// The reference.
        reference: String,
    },
    /// It is there, and is not a manifest that Hermez published.
    #[error("`{reference}` is not a manifest published by Hermez: {reason}")]
    NotAManifest {
        /// The reference.
        reference: String,
        /// What it is instead.
        reason: String,
    },
    /// It is larger than what is read or written.
    #[error("`{reference}` has {size} bytes; the limit is {limit}")]
    TooLarge {
        /// The reference.
        reference: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The registry answers with something that the specification does not foresee.
    #[error("the registry at {registry} answered in an unexpected way: {message}")]
    Unexpected {
        /// The registry.
        registry: String,
        /// What it said (shortened).
        message: String,
    },
}

impl ArtifactError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::InvalidReference { .. } => {
                "Write it as name:tag, registry/name:tag or registry/name@sha256:…, in lower case"
            }
            Self::NotFound { .. } => {
                "Check the image's name and tag; if it is private, push it to this server's registry first"
            }
            Self::Unauthorized { .. } => {
                "The image does not exist there or needs a login; push it to this server's own registry and name it there"
            }
            Self::Unreachable { .. } => {
                "Check that the registry runs and that this server may reach it; nothing is lost, try again then"
            }
            Self::DigestMismatch { .. } => {
                "The registry's storage (or something between) is broken; build the commit again"
            }
            Self::NotAManifest { .. } => "Build the commit again to publish its manifest",
            Self::TooLarge { .. } => {
                "Make the config file smaller; large data belongs into the image"
            }
            Self::Unexpected { .. } => "Look at the registry's own log",
        };
        Some(text.to_owned())
    }

    /// Whether the same call may well succeed later, with nothing changed by the user.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}
