//! What can go wrong in a reconcile.

use hermez_kinds::TranslateError;
use thiserror::Error;

/// What can go wrong in a reconcile.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControllerError {
    /// The API server answered with an error, or not at all.
    #[error("the cluster answered: {0}")]
    Kube(#[from] kube::Error),
    /// The resource was changed by somebody else since it was read here; nothing was written.
    #[error("the resource was changed meanwhile")]
    Outdated,
    /// A watch ended for good; the process is on its way down.
    #[error("the watch of {0} has ended")]
    WatchEnded(String),
    /// A CRD was installed and is not served.
    #[error("the definition of {name} is not served: {message}")]
    NotEstablished {
        /// Name of the CRD.
        name: String,
        /// What was seen instead.
        message: String,
    },
    /// This machine gives nothing to tell this process by.
    #[error("this process cannot be told from others: {0}")]
    NoIdentity(std::io::Error),
    /// Work that was handed to another thread broke off.
    #[error("a comparison broke off: {0}")]
    Broken(String),
}

/// Why a resource cannot become what it stands for; people must change something.
#[derive(Debug, Error)]
pub(crate) enum Stalled {
    /// The resource does not have the shape of its kind (it is older than the schema).
    #[error("the resource has the wrong shape: {0}")]
    Shape(#[from] serde_json::Error),
    /// The spec is wrong in a way that no schema can say.
    #[error("{0}")]
    Violations(String),
    /// The resource and the runtime profile do not fit together.
    #[error(transparent)]
    Translate(#[from] TranslateError),
    /// An object of the wanted name is there and belongs to somebody else.
    #[error(
        "{object} is there already and does not belong to this resource: delete it, or give this resource another name"
    )]
    Taken {
        /// The object, as `Kind/name`.
        object: String,
    },
    /// The version of the runtime profile that it was translated through is lost.
    #[error(
        "the runtime profile {label} that its pods were made with is not known any more: nothing is changed until the rollout of the newest profile reaches it, or its spec changes"
    )]
    ProfileLost {
        /// The version, as `NAME@VERSION`.
        label: String,
    },
    /// The API server refused an object.
    #[error("the cluster refused {object}: {message}")]
    Refused {
        /// The object, as `Kind/name`.
        object: String,
        /// The API server's own words.
        message: String,
    },
    /// The kind itself refuses.
    #[error("{message}")]
    Impossible {
        /// The condition's reason.
        reason: &'static str,
        /// In words.
        message: String,
    },
}

impl Stalled {
    /// The condition's reason.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Stalled::Shape(_) | Stalled::Violations(_) => "InvalidSpec",
            Stalled::Translate(_) => "TranslationFailed",
            Stalled::Taken { .. } => "NameTaken",
            Stalled::ProfileLost { .. } => "ProfileLost",
            Stalled::Refused { .. } => "Refused",
            Stalled::Impossible { reason, .. } => reason,
        }
    }
}

/// How a reconcile can end badly.
#[derive(Debug, Error)]
pub(crate) enum ReconcileError {
    /// Somebody must change something.
    #[error(transparent)]
    Stalled(#[from] Stalled),
    /// It may work later.
    #[error(transparent)]
    Controller(#[from] ControllerError),
}

impl From<kube::Error> for ReconcileError {
    fn from(error: kube::Error) -> Self {
        ReconcileError::Controller(error.into())
    }
}

impl From<TranslateError> for ReconcileError {
    fn from(error: TranslateError) -> Self {
        ReconcileError::Stalled(error.into())
    }
}

impl From<serde_json::Error> for ReconcileError {
    fn from(error: serde_json::Error) -> Self {
        ReconcileError::Stalled(error.into())
    }
}
