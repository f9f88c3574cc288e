//! Forges: what Hermez asks of them, and what they tell Hermez of pushes and pull requests.

mod gitea;
mod pulls;
mod webhook;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

pub use gitea::Gitea;
pub use pulls::{
    CommitStatus, NewPullRequest, PullEvent, PullRequest, PullState, StatusState, parse_pull,
};
pub use webhook::{PushError, PushEvent, parse_push, verify_signature};

use crate::{Credential, RepositoryUrl};

/// Which forge it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKind {
    /// Gitea (and Forgejo, which speaks the same API).
    Gitea,
}

/// A forge that this server was told about.
#[derive(Debug, Clone)]
pub struct ForgeConfig {
    /// Which forge it is.
    pub kind: ForgeKind,
    /// Its address, such as `https://git.example.com/`.
    pub base_url: Url,
    /// Access token that may manage the webhooks of repositories.
    pub token: Option<SecretString>,
}

/// Why a forge did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// The repository lives elsewhere.
    #[error("{url} is not a repository of the forge at {forge}")]
    NotThisForge {
        /// The repository.
        url: String,
        /// The forge.
        forge: String,
    },
    /// This server has no access token for the forge.
    #[error("this server has no access token for the forge at {forge}")]
    NoToken {
        /// The forge.
        forge: String,
    },
    /// The forge refuses the access token, or it may not do this in the repository.
    #[error("the forge does not let this server do that in {url}")]
    Forbidden {
        /// The repository.
        url: String,
    },
    /// The forge does not know the repository (or hides it).
    #[error("the forge knows no repository {url}")]
    NotFound {
        /// The repository.
        url: String,
    },
    /// The repository has no pull request of that number.
    #[error("{url} has no pull request {number}")]
    NoPullRequest {
        /// The repository.
        url: String,
        /// The number.
        number: i64,
    },
    /// Nothing answers there, or too slowly.
    #[error("the forge at {forge} cannot be reached: {reason}")]
    Unreachable {
        /// The forge.
        forge: String,
        /// What the network said.
        reason: String,
    },
    /// The forge answers with something else than its API says.
    #[error("the forge at {forge} answered {status}: {message}")]
    Unexpected {
        /// The forge.
        forge: String,
        /// The HTTP status code.
        status: u16,
        /// The beginning of what it said.
        message: String,
    },
}

impl ForgeError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotThisForge { .. } => {
                "Add the repository's forge to the server's settings, or press sync after a push"
            }
            Self::NoToken { .. } => {
                "Give the server an access token for the forge; until then pushes are found by sync"
            }
            Self::Forbidden { .. } => {
                "Let the token's user administer the repository, and give the token the right to write repositories"
            }
            Self::NoPullRequest { .. } => "List those that are open: hermez pr list",
            Self::NotFound { .. } => "Check that the token's user may see the repository",
            Self::Unreachable { .. } => {
                "Check the forge's address in the server's settings, and the network between"
            }
            Self::Unexpected { .. } => {
                "Look at the forge's own log; what was asked of it can also be done there by hand"
            }
        };
        Some(text.to_owned())
    }
}

impl ForgeConfig {
    /// The forge's access token, as Git takes it; none where this server has none.
    pub fn git_credential(&self) -> Option<Credential> {
        let token = self.token.as_ref()?.expose_secret().trim();
        // Forges look at the password alone where it is a token.
        Some(Credential::new("hermez".to_owned(), token.to_owned()))
    }

    /// Whether a repository lives on this forge: same scheme, host and port, and below its path.
    pub fn matches(&self, repository: &RepositoryUrl) -> bool {
        self.owner_and_name(repository).is_some()
    }

    /// Owner and name of a repository of this forge.
    fn owner_and_name(&self, repository: &RepositoryUrl) -> Option<(String, String)> {
        let url = repository.as_url();
        if url.origin() != self.base_url.origin() {
            return None;
        }
        let base = self.base_url.path().trim_end_matches('/');
        let rest = url.path().strip_prefix(base)?.strip_prefix('/')?;
        let (owner, name) = rest.split_once('/')?;
        (!owner.is_empty() && !name.is_empty() && !name.contains('/'))
            .then(|| (owner.to_owned(), name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forge(base: &str) -> ForgeConfig {
        ForgeConfig {
            kind: ForgeKind::Gitea,
            base_url: base.parse().unwrap(),
            token: None,
        }
    }

    #[test]
    fn a_repository_is_matched_by_its_whole_prefix() {
        let check = |base: &str, url: &str, expect: bool| {
            let url = RepositoryUrl::parse(url).unwrap();
            assert_eq!(forge(base).matches(&url), expect, "{base} {url}");
        };
        check(
            "https://git.example.com",
            "https://git.example.com/a/b.git",
            true,
        );
        check(
            "https://git.example.com/",
            "https://git.example.com:443/a/b",
            true,
        );
        check(
            "https://git.example.com/git/",
            "https://git.example.com/git/a/b",
            true,
        );
        check(
            "https://git.example.com/git",
            "https://git.example.com/gitty/a/b",
            false,
        );
        check(
            "https://git.example.com",
            "http://git.example.com/a/b",
            false,
        );
        check(
            "https://git.example.com",
            "https://git.example.com.evil.org/a/b",
            false,
        );
        check(
            "https://git.example.com",
            "https://git.example.com:8443/a/b",
            false,
        );
        check(
            "https://git.example.com",
            "https://git.example.com/a/b/c",
            false,
        );
        check(
            "https://git.example.com",
            "https://git.example.com/a",
            false,
        );
    }
}
