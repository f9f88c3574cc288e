//! Each error of the other crates as a problem.

use hermez_access::AccessError;
use hermez_cluster::ClusterError;
use hermez_controller::ControllerError;
use hermez_deploy::RoadError;
use hermez_source::forge::ForgeError;
use hermez_source::pick::PickError;
use hermez_source::{RepositoryUrlError, SourceError};
use hermez_store::StoreError;

use super::{ApiError, catalog};
use crate::auth;
use crate::etag;
use crate::paging;

/// A sentence: begins with a capital (unless it begins with a name in quotes) and ends with a dot.
pub fn sentence(text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    let text = text.trim();
    let mut chars = text.chars();
    let first_word = text.split_whitespace().next().unwrap_or_default();
    let mut out = match chars.next() {
        // URLs, names of files and of workloads keep their spelling.
        Some(first) if first.is_ascii_lowercase() && !is_name(first_word) => {
            first.to_ascii_uppercase().to_string() + chars.as_str()
        }
        Some(_) => text.to_owned(),
        None => return String::new(),
    };
    if !out.ends_with(['.', '!', '?', ':']) {
        out.push('.');
    }
    out
}

/// Whether a word cannot be an English one: it has signs or digits in it, or is a commit's short id.
fn is_name(word: &str) -> bool {
    let is_id = word.len() >= 7 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id || word.contains(['/', '.', ':', '_', '-']) || word.bytes().any(|it| it.is_ascii_digit())
}

/// The command that lists what there is of a kind.
fn where_to_look(what: &str) -> Option<&'static str> {
    match what {
        "workload" => Some("List them: `hermez workload list`."),
        "project" => Some("See which project each workload belongs to: `hermez workload list`."),
        "build" => Some("List a workload's builds: `hermez build list --workload NAME`."),
        "deploy" => Some("List a workload's deploys: `hermez history WORKLOAD`."),
        "preview" => Some("List pull requests and their previews: `hermez pr list`."),
        "freeze" => Some("List freezes: `hermez freeze list --all`."),
        _ => None,
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::BadCursor => paging::bad_cursor(),
            StoreError::VersionMismatch { .. } => etag::changed(),
            StoreError::NotFound { what, .. } => Self::new(
                match *what {
                    "workload" => catalog::WORKLOAD_NOT_FOUND,
                    "build" => catalog::BUILD_NOT_FOUND,
                    "deploy" => catalog::DEPLOY_NOT_FOUND,
                    "preview" => catalog::PREVIEW_NOT_FOUND,
                    "token" => catalog::TOKEN_NOT_FOUND,
                    "freeze" => catalog::FREEZE_NOT_FOUND,
                    _ => catalog::NOT_FOUND,
                },
                // A preview has no name of its own; its key says whose it is.
                match &error {
                    StoreError::NotFound {
                        what: "preview",
                        key,
                    } => format!("There is no preview {key}."),
                    _ => sentence(&error),
                },
            )
            .maybe_hint(where_to_look(what)),
            StoreError::AlreadyExists {
                what: "workload", ..
            } => Self::new(catalog::WORKLOAD_EXISTS, sentence(&error))
                .hint("Change `metadata.name` in the config file, or delete the other workload."),
            StoreError::AlreadyExists { .. } => Self::new(catalog::CONFLICT, sentence(&error)),
            error if error.is_transient() => Self::new(
                catalog::DATABASE_UNAVAILABLE,
                "The database did not answer; nothing was changed.",
            )
            .hint("Try again in a moment.")
            .cause(error),
            _ => Self::internal(error),
        }
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::NotAuthenticated | AccessError::TooLarge { .. } => {
                auth::unauthenticated(&sentence(error))
            }
            AccessError::Denied { .. } => Self::new(catalog::FORBIDDEN, sentence(error))
                .hint("Ask an owner of this server to do it, or to give you the right to."),
            AccessError::NotFound { what: "token", .. } => {
                Self::new(catalog::TOKEN_NOT_FOUND, sentence(error))
            }
            AccessError::NotFound {
                what: "principal", ..
            } => Self::new(catalog::NOT_FOUND, sentence(error))
                .hint("`hermez principal list` shows who there is."),
            AccessError::NotFound { .. } => Self::new(catalog::NOT_FOUND, sentence(error)),
            AccessError::Invalid { message, hint } => {
                Self::new(catalog::INVALID_BODY, sentence(message)).hint(sentence(hint))
            }
            AccessError::Store(error) => error.into(),
            AccessError::Key(error) => Self::internal(error),
        }
    }
}

impl From<RepositoryUrlError> for ApiError {
    fn from(error: RepositoryUrlError) -> Self {
        let hint = error.hint();
        Self::new(catalog::REPOSITORY_URL_INVALID, sentence(error)).maybe_hint(hint.map(sentence))
    }
}

impl From<SourceError> for ApiError {
    fn from(error: SourceError) -> Self {
        use SourceError as E;
        let of = match &error {
            E::NotFound { .. } | E::Moved { .. } | E::NotGit { .. } => {
                catalog::REPOSITORY_NOT_FOUND
            }
            E::AuthenticationRequired { .. } | E::AuthenticationFailed { .. } => {
                catalog::REPOSITORY_AUTHENTICATION
            }
            E::Unreachable { .. } => catalog::REPOSITORY_UNREACHABLE,
            E::Empty { .. } => catalog::REPOSITORY_EMPTY,
            E::TooLarge { .. } | E::ExportTooLarge { .. } => catalog::REPOSITORY_TOO_LARGE,
            E::TimedOut { .. } => catalog::REPOSITORY_TIMED_OUT,
            E::NotMirrored { .. } => catalog::CONFLICT,
            E::PathOutside { .. }
            | E::PathMissing { .. }
            | E::IsDirectory { .. }
            | E::IsSubmodule { .. }
            | E::SymlinkOutside { .. }
            | E::SymlinkBroken { .. }
            | E::FileTooLarge { .. } => catalog::CONFIG_PATH_INVALID,
            E::UnknownRevision { .. }
            | E::InvalidRevision { .. }
            | E::InvalidBranch { .. }
            | E::NotOnBranch { .. } => catalog::REVISION_UNKNOWN,
            E::AmbiguousRevision { .. } => catalog::REVISION_AMBIGUOUS,
            E::Git { .. } | E::Io { .. } => return Self::internal(error),
        };
        let hint = error.hint();
        Self::new(of, sentence(error)).maybe_hint(hint.map(sentence))
    }
}

impl From<ClusterError> for ApiError {
    fn from(error: ClusterError) -> Self {
        let of = match &error {
            ClusterError::Kubeconfig(_) | ClusterError::Unreachable(_) => {
                catalog::CLUSTER_UNAVAILABLE
            }
            ClusterError::NotFound(_) => catalog::POD_NOT_FOUND,
            _ => catalog::CLUSTER_REFUSED,
        };
        let hint = error.hint();
        Self::new(of, sentence(error)).maybe_hint(hint.map(sentence))
    }
}

impl From<ControllerError> for ApiError {
    fn from(error: ControllerError) -> Self {
        match error {
            ControllerError::Kube(error) => ClusterError::from_kube(&error, "the cluster").into(),
            error => Self::internal(error),
        }
    }
}

impl From<RoadError> for ApiError {
    fn from(error: RoadError) -> Self {
        let (hint, places) = (error.hint().map(sentence), error.places());
        match error {
            RoadError::Store(error) => error.into(),
            RoadError::Key(error) => Self::internal(error),
            RoadError::Url(error) => error.into(),
            RoadError::Source(error) => error.into(),
            // To push takes more than to read.
            RoadError::Pick(PickError::Source(error)) => Self::from(error).maybe_hint(hint),
            RoadError::Cluster(error) => error.into(),
            RoadError::Config(_) | RoadError::HermezYaml { .. } => {
                Self::new(catalog::CONFIG_INVALID, sentence(error))
                    .maybe_hint(hint)
                    .places(places)
            }
            RoadError::Plan(_) => Self::new(catalog::BUILD_PLAN_INVALID, sentence(error))
                .maybe_hint(hint)
                .places(places),
            RoadError::AnotherWorkload { .. } => {
                Self::new(catalog::CONFIG_OF_ANOTHER, sentence(error)).maybe_hint(hint)
            }
            RoadError::Forge(ForgeError::NoPullRequest { .. }) => {
                Self::new(catalog::PULL_REQUEST_NOT_FOUND, sentence(error)).maybe_hint(hint)
            }
            RoadError::Forge(_) => {
                Self::new(catalog::FORGE_REFUSED, sentence(error)).maybe_hint(hint)
            }
            RoadError::ForkNotAllowed { .. } => {
                Self::new(catalog::FORK_NOT_ALLOWED, sentence(error)).maybe_hint(hint)
            }
            RoadError::Held(_) => Self::new(catalog::DEPLOY_HELD, sentence(error)).maybe_hint(hint),
            RoadError::CannotRollBack(_) => {
                Self::new(catalog::NOTHING_TO_ROLL_BACK, sentence(error)).maybe_hint(hint)
            }
            RoadError::NotNow { .. } | RoadError::NotYet { .. } => {
                Self::new(catalog::CONFLICT, sentence(error)).maybe_hint(hint)
            }
            RoadError::Invalid { .. }
            | RoadError::Pick(PickError::Count { .. })
            | RoadError::Window(_) => {
                Self::new(catalog::INVALID_BODY, sentence(error)).maybe_hint(hint)
            }
            RoadError::Revert(_) => Self::new(catalog::REVERT_CONFLICT, sentence(error))
                .places(places)
                .maybe_hint(hint),
            RoadError::Pick(_) => Self::new(catalog::HOTFIX_CONFLICT, sentence(error))
                .places(places)
                .maybe_hint(hint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_begin_and_end_like_sentences() {
        assert_eq!(
            sentence("there is no workload `a`"),
            "There is no workload `a`."
        );
        assert_eq!(sentence("https://x/y has moved"), "https://x/y has moved.");
        assert_eq!(sentence("`a` is a directory"), "`a` is a directory.");
        assert_eq!(sentence("zt1 has no history"), "zt1 has no history.");
        assert_eq!(sentence("deadbee is a merge"), "deadbee is a merge.");
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn what_is_not_there_is_answered_with_where_to_look() {
        let missing = |what| StoreError::NotFound {
            what,
            key: "x".to_owned(),
        };
        for what in [
            "workload", "project", "build", "deploy", "preview", "freeze",
        ] {
            let error = ApiError::from(missing(what));
            let hint = error.0.hint.as_deref().unwrap_or_default();
            assert!(hint.contains("`hermez "), "{what}: {hint}");
        }
    }

    #[test]
    fn a_push_that_is_not_allowed_is_answered_with_the_right_to_push() {
        for error in [
            SourceError::AuthenticationRequired {
                url: "https://git.test/a".to_owned(),
            },
            SourceError::AuthenticationFailed {
                url: "https://git.test/a".to_owned(),
            },
        ] {
            let error = ApiError::from(RoadError::Pick(PickError::Source(error)));
            assert_eq!(error.kind(), catalog::REPOSITORY_AUTHENTICATION);
            let hint = error.0.hint.as_deref().unwrap_or_default();
            assert!(hint.contains("the right to push"), "{hint}");
        }
    }

    #[test]
    fn a_database_error_never_reaches_the_client() {
        let error = ApiError::from(StoreError::Corrupt {
            column: "state",
            value: "x".to_owned(),
        });
        assert_eq!(error.kind(), catalog::INTERNAL);
        assert!(!error.to_string().contains("state"), "{error}");
    }
}
