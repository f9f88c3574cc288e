//! What can go wrong between Hermez and the cluster, and whether waiting helps.

use std::error::Error;

use kube::core::Status;

use crate::text::clip;

/// Longest message of the API server that is kept, in bytes.
const MESSAGE_BYTES: usize = 2048;

/// What can go wrong between Hermez and the cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The kubeconfig is missing or cannot be read.
    #[error("the kubeconfig cannot be used: {0}")]
    Kubeconfig(String),
    /// The API server does not answer.
    #[error("the cluster does not answer: {0}")]
    Unreachable(String),
    /// The API server answers, and cannot do it at the moment.
    #[error("the cluster cannot do it now: {0}")]
    Unavailable(String),
    /// The API server does not serve this kind (yet): its definition is not installed.
    #[error("the cluster does not know the kind {0} yet")]
    NotServed(String),
    /// The API server does not know the credentials, or does not let them do this.
    #[error("the cluster does not allow it: {0}")]
    Forbidden(String),
    /// The API server refused the object: schema, rule, admission or quota.
    #[error("the cluster refused {object}: {message}")]
    Refused {
        /// What was refused, as `Kind/name`.
        object: String,
        /// The API server's own words.
        message: String,
    },
    /// There is no such object.
    #[error("there is no {0} in the cluster")]
    NotFound(String),
    /// The container has no log to read (yet): it has not started, or has no earlier run.
    #[error("there is no log to read: {0}")]
    NoLog(String),
    /// The API server answered with another error.
    #[error("the cluster answered: {0}")]
    Api(String),
}

impl ClusterError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            ClusterError::Kubeconfig(_) => {
                "Name a readable kubeconfig with --kubeconfig or KUBECONFIG; `cargo xtask up` makes a cluster with one."
            }
            ClusterError::Unreachable(_) => {
                "Look whether the API server runs and can be reached from here; Hermez goes on by itself when it answers."
            }
            ClusterError::Unavailable(_) => "Hermez tries again by itself.",
            ClusterError::NotServed(_) => {
                "Hermez installs the definition when it starts: its log says why it is not there."
            }
            ClusterError::Forbidden(_) => {
                "Give the account in Hermez' kubeconfig the right that the message names."
            }
            ClusterError::Refused { message, .. } if message.contains("exceeded quota") => {
                "Ask for less, or have the namespace's ResourceQuota raised."
            }
            ClusterError::Refused { message, .. } if message.contains("being terminated") => {
                "The namespace is being deleted: wait until it is gone, and deploy again."
            }
            ClusterError::Refused { .. } => {
                "Change the config file as the message says, commit, and deploy that commit."
            }
            ClusterError::NoLog(_) => "Wait until the container has started.",
            ClusterError::NotFound(_) | ClusterError::Api(_) => return None,
        };
        Some(hint.to_owned())
    }

    /// Whether the same request may work later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            ClusterError::Unreachable(_)
                | ClusterError::Unavailable(_)
                | ClusterError::NotServed(_)
        )
    }

    /// What `error` means when it came from doing something with `object` (`Kind/name`).
    pub fn from_kube(error: &kube::Error, object: &str) -> Self {
        match error {
            kube::Error::Api(status) => Self::answered(status, object),
            kube::Error::SerdeError(_) | kube::Error::BuildRequest(_) => {
                Self::Api(clip(&format!("{object}: {}", chain(error)), MESSAGE_BYTES))
            }
            other => Self::Unreachable(innermost(other)),
        }
    }

    /// There was no answer in that time.
    pub(crate) fn timed_out(within: std::time::Duration) -> Self {
        Self::Unreachable(format!("no answer within {} s", within.as_secs()))
    }

    fn answered(status: &Status, object: &str) -> Self {
        let words = if status.message.is_empty() {
            &status.reason
        } else {
            &status.message
        };
        let message = clip(words, MESSAGE_BYTES);
        match status.code {
            401 => Self::Forbidden(format!("the credentials are not accepted ({message})")),
            403 if is_about_rights(&message) => Self::Forbidden(message),
            // Quota, admission plugins and namespaces that end also say 403.
            400 | 403 | 406 | 413 | 415 | 422 => Self::Refused {
                object: object.to_owned(),
                message,
            },
            // Without a name, it is the kind that is not there.
            404 if status.details.as_ref().is_none_or(|d| d.name.is_empty()) => {
                let kind = object.split('/').next().unwrap_or(object);
                Self::NotServed(kind.to_owned())
            }
            404 => Self::NotFound(object.to_owned()),
            409 | 410 | 429 | 500..=599 => Self::Unavailable(message),
            _ => Self::Api(message),
        }
    }
}

/// `pods is forbidden: User "x" cannot list resource "pods" …`
fn is_about_rights(message: &str) -> bool {
    message.contains("User \"") && message.contains(" cannot ")
}

/// The last cause of an error says most: `Connection refused (os error 111)`.
fn innermost(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    clip(&text, MESSAGE_BYTES)
}

/// An error with its causes, each once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk(code: u16, message: &str, name: &str) -> ClusterError {
        let status: Status = serde_json::from_value(serde_json::json!({
            "status": "Failure", "code": code, "message": message, "details": {"name": name},
        }))
        .expect("a status");
        let error = kube::Error::Api(Box::new(status));
        ClusterError::from_kube(&error, "PinterestService/hello")
    }

    #[test]
    fn refusals_keep_the_api_servers_words() {
        for (code, message) in [
            (422, "spec.replicas: Invalid value: -1"),
            (403, "pods \"x\" is forbidden: exceeded quota: small"),
            (400, "admission webhook \"no\" denied the request: no"),
        ] {
            let error = mk(code, message, "hello");
            assert!(!error.is_transient());
            assert_eq!(
                error,
                ClusterError::Refused {
                    object: "PinterestService/hello".into(),
                    message: message.into()
                }
            );
        }
    }

    #[test]
    fn missing_rights_are_not_a_refusal_of_the_object() {
        let message = "x is forbidden: User \"u\" cannot patch resource \"x\" in API group";
        assert_eq!(
            mk(403, message, "hello"),
            ClusterError::Forbidden(message.into())
        );
    }

    #[test]
    fn outages_are_transient() {
        for code in [409, 429, 500, 502, 503, 504] {
            assert!(mk(code, "etcdserver: request timed out", "hello").is_transient());
        }
        let io = std::io::Error::other("Connection refused (os error 111)");
        let error = ClusterError::from_kube(&kube::Error::ReadEvents(io), "x");
        assert!(error.is_transient());
        assert_eq!(
            error.to_string(),
            "the cluster does not answer: Connection refused (os error 111)"
        );
    }

    #[test]
    fn a_kind_that_is_not_served_is_not_a_missing_object() {
        assert_eq!(
            mk(404, "the server could not find the requested resource", ""),
            ClusterError::NotServed("PinterestService".into())
        );
        assert_eq!(
            mk(404, "pinterestservices \"hello\" not found", "hello"),
            ClusterError::NotFound("PinterestService/hello".into())
        );
    }

    #[test]
    fn messages_are_bounded() {
        let ClusterError::Refused { message, .. } = mk(422, &"ä".repeat(5000), "hello") else {
            panic!("a refusal")
        };
        assert!(message.len() <= MESSAGE_BYTES + '…'.len_utf8());
    }
}
