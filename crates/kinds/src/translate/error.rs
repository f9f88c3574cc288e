//! A resource and a runtime profile that do not fit together.

use thiserror::Error;

/// A resource and a runtime profile that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TranslateError {
    /// `sidecarconfig` names a sidecar that the profile's catalogue does not have.
    #[error(
        "spec.sidecarconfig.{name}: the runtime profile \"{profile}\" has no such sidecar; {known}"
    )]
    UnknownSidecar {
        /// The name that was written.
        name: String,
        /// The profile's name.
        profile: String,
        /// Which there are, as a clause.
        known: String,
    },
    /// `sidecarconfig` gives a sidecar a key that it does not take.
    #[error("spec.sidecarconfig.{sidecar}.{key}: this sidecar takes no such key; {known}")]
    UnknownSidecarKey {
        /// The sidecar.
        sidecar: String,
        /// The key that was written.
        key: String,
        /// Which there are, as a clause.
        known: String,
    },
    /// The resource and the profile both say what one thing is, and the profile does not let the
    /// resource win.
    #[error(
        "{place}: the resource says {own} about \"{key}\", and the runtime profile \"{profile}\" says {theirs}; leave it out, or have \"{key}\" listed under the profile's overridable"
    )]
    Conflict {
        /// Where, as a path in the resource.
        place: String,
        /// What stands under `overridable` to let the resource win.
        key: String,
        /// The profile's name.
        profile: String,
        /// What the resource says, as JSON.
        own: String,
        /// What the profile says, as JSON.
        theirs: String,
    },
    /// The configuration of a sidecar is not of the type that the sidecar takes.
    #[error("spec.sidecarconfig.{sidecar}.{key}: found {found}, and this sidecar takes {takes}")]
    SidecarValue {
        /// The sidecar.
        sidecar: String,
        /// The key.
        key: String,
        /// What was written, as JSON.
        found: String,
        /// What it takes, in words.
        takes: String,
    },
    /// The configuration of a sidecar leaves out what the sidecar needs.
    #[error("spec.sidecarconfig.{sidecar}: this sidecar needs {key}: {takes}")]
    SidecarNeeds {
        /// The sidecar.
        sidecar: String,
        /// The key.
        key: String,
        /// What it takes, in words.
        takes: String,
    },
    /// The resource gives a label that is Hermez' own another value.
    #[error("{place}: this label is Hermez' own and always {value:?}; leave it out")]
    Reserved {
        /// Where, as a path in the resource.
        place: String,
        /// The value that it has.
        value: String,
    },
}
