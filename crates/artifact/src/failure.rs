//! What a registry's failure means. Pure.

use oci_client::errors::{OciDistributionError as Oci, OciErrorCode};

use crate::ArtifactError;
use crate::reference::shorten;

/// Finds the one error that says it best.
pub(crate) fn explain(error: &Oci, registry: &str, reference: &str) -> ArtifactError {
    let registry = registry.to_owned();
    let reference = reference.to_owned();
    match error {
        Oci::ImageManifestNotFoundError(_) | Oci::ServerError { code: 404, .. } => {
            ArtifactError::NotFound { reference }
        }
        Oci::UnauthorizedError { .. }
        | Oci::AuthenticationFailure(_)
        | Oci::ServerError {
            code: 401 | 403, ..
        } => ArtifactError::Unauthorized {
            registry,
            reference,
        },
        Oci::RegistryError { envelope, .. } => {
            let is = |wanted: &[OciErrorCode]| {
                envelope
                    .errors
                    .iter()
                    .any(|error| wanted.contains(&error.code))
            };
            if is(&[
                OciErrorCode::ManifestUnknown,
                OciErrorCode::NameUnknown,
                OciErrorCode::NotFound,
                OciErrorCode::BlobUnknown,
            ]) {
                ArtifactError::NotFound { reference }
            } else if is(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
                ArtifactError::Unauthorized {
                    registry,
                    reference,
                }
            } else {
                ArtifactError::Unexpected {
                    registry,
                    message: shorten(&envelope.to_string()),
                }
            }
        }
        Oci::ServerError { code, .. } if *code >= 500 => ArtifactError::Unreachable {
            registry,
            reason: format!("it answers {code}"),
        },
        Oci::RequestError(error) => match error.status().map(|status| status.as_u16()) {
            Some(401 | 403) => ArtifactError::Unauthorized {
                registry,
                reference,
            },
            Some(404) => ArtifactError::NotFound { reference },
            Some(code) => ArtifactError::Unreachable {
                registry,
                reason: format!("it answers {code}"),
            },
            None => ArtifactError::Unreachable {
                registry,
                reason: innermost(error),
            },
        },
        Oci::IoError(error) if error.to_string().to_lowercase().contains("digest") => {
            ArtifactError::DigestMismatch { reference }
        }
        Oci::IoError(error) => ArtifactError::Unreachable {
            registry,
            reason: shorten(&error.to_string()),
        },
        Oci::DigestError(_) => ArtifactError::DigestMismatch { reference },
        other => ArtifactError::Unexpected {
            registry,
            message: shorten(&other.to_string()),
        },
    }
}

/// The innermost cause, which says what the network said, and never a URL.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    shorten(&cause.to_string())
}
