//! What can go wrong at the gate.

use std::path::PathBuf;

use hermez_store::StoreError;

/// Why somebody was not let in.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// What was presented opens nothing: unknown, revoked, expired or malformed (which of these is
    /// not said to the one who asks).
    #[error(
        "this token or session is not valid (any more); sign in again, or make a new token with `hermez token create`"
    )]
    NotAuthenticated,
    /// What was presented is larger than anything Hermez gives out.
    #[error("the credential is longer than {limit} bytes, which no token or session of Hermez is")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// They are known and may not do this.
    #[error("`{principal}` ({role}) may not {action} on {target}: {reason}")]
    Denied {
        /// Who asked.
        principal: String,
        /// Their role.
        role: &'static str,
        /// The action.
        action: &'static str,
        /// What it was to be done to.
        target: String,
        /// Why not.
        reason: String,
    },
    /// There is no such thing to act on.
    #[error("there is no {what} `{key}`")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// What was looked for.
        key: String,
    },
    /// What was asked for is not possible.
    #[error("{message}")]
    Invalid {
        /// What is wrong with it.
        message: String,
        /// What is possible.
        hint: String,
    },
    /// The database failed; trying again may help.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum GateError<E> {
    /// The gate said no, or could not record.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The change itself failed; it is recorded as failed.
    #[error("{0}")]
    Act(E),
}

impl<E: Into<AccessError>> GateError<E> {
    /// The error of a change whose own errors are the gate's.
    pub(crate) fn flatten(self) -> AccessError {
        match self {
            Self::Access(error) => error,
            Self::Act(error) => error.into(),
        }
    }
}

/// Why the server's key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file could not be read or written.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// `read`, `write` or `create`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner may read the file.
    #[error(
        "{path} can be read by others (mode {mode:04o}); run `chmod 600 {path}`, and make new secrets if somebody may have read it"
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file does not hold a key.
    #[error(
        "{path} does not hold a key of 64 hexadecimal digits; restore it from a backup (without it sealed passwords are lost)"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Something sealed was changed, or was sealed by another key.
    #[error(
        "a sealed value cannot be opened: it was sealed by another key, or it was changed; enter the password again"
    )]
    CannotOpen,
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers")]
    NoRandomness,
}
