//! Addresses of repositories: one spelling for one repository, and never a secret inside.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

/// Longest URL that is taken, in bytes.
const MAX_BYTES: usize = 2048;

/// Address of a Git repository over HTTP or HTTPS.
///
/// Guarantees: scheme `http` or `https`, a host, a path, and neither credentials, query nor
/// fragment. Two spellings of one repository (`…/app`, `…/app/`, `…/app.git`) are equal and have
/// one [`identity`](Self::identity); `Display` keeps the `.git` that was given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryUrl {
    /// Without `.git` and without a slash at the end.
    url: Url,
    /// Whether it was given with `.git`.
    dot_git: bool,
}

impl PartialEq for RepositoryUrl {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

impl Eq for RepositoryUrl {}

impl std::hash::Hash for RepositoryUrl {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.url.hash(state);
    }
}

/// Why a text is not the address of a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RepositoryUrlError {
    /// Not a URL at all, for example `git@host:owner/app.git`.
    #[error("the repository's address is not a URL: {reason}")]
    NotAUrl {
        /// What the parser says.
        reason: String,
    },
    /// Another scheme than http and https.
    #[error("repositories are read over http or https, not over {scheme}")]
    Scheme {
        /// The scheme that was given.
        scheme: String,
    },
    /// `https://user:password@host/…`.
    #[error("the repository's URL has a user name or a password inside")]
    Credentials,
    /// A query or a fragment.
    #[error("the repository's URL has a query or a fragment, which no repository needs")]
    Query,
    /// Only a host.
    #[error("the repository's URL names a server but no repository")]
    NoPath,
    /// Control characters, spaces, or `..` and empty segments in the path.
    #[error("the repository's URL has characters or path segments that no repository has")]
    Unsafe,
    /// Longer than 2,048 bytes.
    #[error("the repository's URL is longer than {MAX_BYTES} bytes")]
    TooLong,
}

impl RepositoryUrlError {
    /// What to write instead.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotAUrl { .. } | Self::NoPath | Self::Unsafe => {
                "Write the address that the forge shows for cloning over HTTPS, such as https://git.example.com/team/app.git"
            }
            Self::Scheme { .. } => "Use the repository's https address instead",
            Self::Credentials => {
                "Take them out of the URL and give them as user name and password; Hermez keeps them encrypted"
            }
            Self::Query => "Leave out everything from the first ? or # on",
            Self::TooLong => "Use the repository's own address, without anything behind it",
        };
        Some(text.to_owned())
    }
}

impl RepositoryUrl {
    /// Reads an address and brings it into its one spelling.
    pub fn parse(text: &str) -> Result<Self, RepositoryUrlError> {
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err(RepositoryUrlError::TooLong);
        }
        // The URL parser drops tabs and line ends and folds `..`; say so instead of guessing.
        if text
            .chars()
            .any(|c| c.is_control() || c == ' ' || c == '\\')
        {
            return Err(RepositoryUrlError::Unsafe);
        }
        let mut url = Url::parse(text).map_err(|error| RepositoryUrlError::NotAUrl {
            reason: error.to_string(),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(RepositoryUrlError::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RepositoryUrlError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(RepositoryUrlError::Query);
        }
        let after_host = text.splitn(4, '/').nth(3).unwrap_or_default();
        if after_host
            .split('/')
            .any(|s| matches!(s, "." | "..") || s.to_ascii_lowercase().contains("%2e%2e"))
        {
            return Err(RepositoryUrlError::Unsafe);
        }
        let path = url.path().trim_end_matches('/');
        let (path, dot_git) = match path.strip_suffix(".git") {
            Some(path) => (path.to_owned(), true),
            None => (path.to_owned(), false),
        };
        if path.split('/').all(str::is_empty) {
            return Err(RepositoryUrlError::NoPath);
        }
        if path.contains("//") {
            return Err(RepositoryUrlError::Unsafe);
        }
        url.set_path(&path);
        Ok(Self { url, dot_git })
    }

    /// A stable key: the same for every spelling of the same repository.
    ///
    /// The scheme is part of it: over plain http another server may answer.
    pub fn identity(&self) -> String {
        self.url.as_str().to_owned()
    }

    /// Name of the mirror's folder: safe for a file system, the same for ever.
    pub(crate) fn folder(&self) -> String {
        hex::encode(&Sha256::digest(self.identity().as_bytes())[..16])
    }

    /// The URL itself.
    pub fn as_url(&self) -> &Url {
        &self.url
    }

    /// Scheme, host and port, as Git's configuration keys want them: `https://host:port/`.
    pub(crate) fn origin(&self) -> String {
        format!("{}/", self.url.origin().ascii_serialization())
    }

    /// What Git is asked to fetch from: as given first, then the other spelling.
    ///
    /// Some servers answer only to `…/app.git`, some only to `…/app`, most to both.
    pub(crate) fn remotes(&self) -> [String; 2] {
        let (plain, dot_git) = (self.url.to_string(), format!("{}.git", self.url));
        if self.dot_git {
            [dot_git, plain]
        } else {
            [plain, dot_git]
        }
    }
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.dot_git { ".git" } else { "" };
        write!(f, "{}{suffix}", self.url)
    }
}

impl FromStr for RepositoryUrl {
    type Err = RepositoryUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for RepositoryUrl {
    type Error = RepositoryUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<RepositoryUrl> for String {
    fn from(url: RepositoryUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_repository_are_equal() {
        let one = RepositoryUrl::parse("https://git.example.com/team/app").unwrap();
        for other in [
            "https://git.example.com/team/app.git",
            "https://git.example.com/team/app/",
            "https://GIT.example.com:443/team/app.git/",
            "  https://git.example.com/team/app \n",
        ] {
            assert_eq!(one, RepositoryUrl::parse(other).unwrap(), "{other}");
        }
        assert_eq!(one.to_string(), "https://git.example.com/team/app");
        let two = RepositoryUrl::parse("https://git.example.com/team/app.git/").unwrap();
        assert_eq!(two.to_string(), "https://git.example.com/team/app.git");
        assert_eq!(one.identity(), two.identity());
        assert_eq!(
            two.remotes(),
            [two.to_string(), one.to_string()],
            "as given first"
        );
        assert_ne!(
            one,
            RepositoryUrl::parse("http://git.example.com/team/app").unwrap()
        );
    }

    #[test]
    fn what_is_no_repository_is_refused_with_a_hint() {
        use RepositoryUrlError as E;
        let check = |text: &str, expect: fn(&E) -> bool| {
            let error = RepositoryUrl::parse(text).unwrap_err();
            assert!(expect(&error), "{text}: {error:?}");
            assert!(error.hint().is_some());
        };
        check("git@host:team/app.git", |e| matches!(e, E::NotAUrl { .. }));
        check("", |e| matches!(e, E::NotAUrl { .. }));
        check("ssh://git@host/app", |e| matches!(e, E::Scheme { .. }));
        check("file:///etc", |e| matches!(e, E::Scheme { .. }));
        check("ext::sh -c id", |e| matches!(e, E::Unsafe));
        check("ext::sh", |e| matches!(e, E::Scheme { .. }));
        check("https://ada:pw@host/app", |e| matches!(e, E::Credentials));
        check("https://ada@host/app", |e| matches!(e, E::Credentials));
        check("https://host/app?x=1", |e| matches!(e, E::Query));
        check("https://host/app#x", |e| matches!(e, E::Query));
        check("https://host/", |e| matches!(e, E::NoPath));
        check("https://host/.git", |e| matches!(e, E::NoPath));
        check("https://host/a/../b", |e| matches!(e, E::Unsafe));
        check("https://host/a/%2E%2e/b", |e| matches!(e, E::Unsafe));
        check("https://host/a\r\nb", |e| matches!(e, E::Unsafe));
        check("https://host/a//b", |e| matches!(e, E::Unsafe));
        check(&format!("https://host/{}", "a".repeat(3000)), |e| {
            matches!(e, E::TooLong)
        });
    }

    #[test]
    fn an_error_never_repeats_a_password() {
        let error = RepositoryUrl::parse("https://ada:hunter2@host/app").unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("hunter2"));
    }
}
