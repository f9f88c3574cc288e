//! What can go wrong with a repository, each with what to do about it.

use std::time::Duration;

/// Why a repository, a revision or a file could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The server answers, and has no such repository (or hides it).
    #[error("there is no repository at {url}")]
    NotFound {
        /// The repository.
        url: String,
    },
    /// The server wants a user name and a password, and none were given.
    #[error("{url} asks for a user name and a password")]
    AuthenticationRequired {
        /// The repository.
        url: String,
    },
    /// The server refuses the user name and the password given.
    #[error("{url} refuses the user name and password given")]
    AuthenticationFailed {
        /// The repository.
        url: String,
    },
    /// Nothing answers there: no such host, nothing listens, or TLS fails.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// The repository.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// The server sends elsewhere; Hermez does not follow, so that credentials stay where they were meant for.
    #[error("{url} has moved")]
    Moved {
        /// The repository.
        url: String,
    },
    /// What answers does not speak Git over smart HTTP.
    #[error("{url} does not answer like a Git repository")]
    NotGit {
        /// The repository.
        url: String,
    },
    /// It has no branch.
    #[error("{url} is empty: it has no branch yet")]
    Empty {
        /// The repository.
        url: String,
    },
    /// The mirror would be larger than allowed.
    #[error("{url} is larger than the limit of {} MiB", limit / (1024 * 1024))]
    TooLarge {
        /// The repository.
        url: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Git took longer than allowed.
    #[error("reading {subject} took longer than {} s", limit.as_secs())]
    TimedOut {
        /// The repository, or what was read in it.
        subject: String,
        /// The limit.
        limit: Duration,
    },
    /// It was never mirrored, or was removed.
    #[error("{url} has not been read yet")]
    NotMirrored {
        /// The repository.
        url: String,
    },
    /// The path leaves the repository, or is no path at all.
    #[error("`{path}` is not a path inside the repository")]
    PathOutside {
        /// The path, as given (shortened).
        path: String,
    },
    /// Nothing is there at that commit.
    #[error("there is no `{path}` at commit {commit}")]
    PathMissing {
        /// The path.
        path: String,
        /// The commit, shortened.
        commit: String,
        /// Paths in the same folder with the nearest names; may be empty.
        nearest: Vec<String>,
    },
    /// A folder is there, not a file.
    #[error("{} is a directory, not a file", if path.is_empty() { "the repository's root".to_owned() } else { format!("`{path}`") })]
    IsDirectory {
        /// The path.
        path: String,
    },
    /// A submodule is there; Hermez does not read submodules.
    #[error("`{path}` is a submodule, not a file")]
    IsSubmodule {
        /// The path.
        path: String,
    },
    /// A symbolic link on the way leads out of the repository.
    #[error("`{path}` is a symbolic link that leaves the repository (to `{target}`)")]
    SymlinkOutside {
        /// The path.
        path: String,
        /// Where the link points (shortened).
        target: String,
    },
    /// A symbolic link leads nowhere, or in a circle.
    #[error("`{path}` is a symbolic link that leads nowhere")]
    SymlinkBroken {
        /// The path.
        path: String,
    },
    /// The file is larger than allowed.
    #[error("`{path}` has {} KiB; at most {} KiB are read", size / 1024, limit / 1024)]
    FileTooLarge {
        /// The path.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The tree at the commit is larger than what may be built.
    #[error("the files at commit {commit} are more than may be built: {what}")]
    ExportTooLarge {
        /// The commit, shortened.
        commit: String,
        /// Which limit, in words.
        what: String,
    },
    /// It is no branch, tag or commit here.
    #[error("there is no branch, tag or commit `{revision}`")]
    UnknownRevision {
        /// The revision as given (shortened).
        revision: String,
    },
    /// It cannot be a revision: a character or form that Git forbids in names.
    #[error("`{revision}` cannot be a branch, tag or commit")]
    InvalidRevision {
        /// The revision as given (shortened).
        revision: String,
    },
    /// No branch has such a name: a character or form that Git forbids in names.
    #[error("`{name}` cannot be the name of a branch")]
    InvalidBranch {
        /// The name as given (shortened).
        name: String,
    },
    /// It names several different commits.
    #[error("`{revision}` names more than one commit: {}", candidates.join(", "))]
    AmbiguousRevision {
        /// The revision.
        revision: String,
        /// What it could be; at most ten.
        candidates: Vec<String>,
    },
    /// The commit is (no longer) part of the branch's history.
    #[error("commit {commit} is not part of branch `{branch}`")]
    NotOnBranch {
        /// The commit, shortened.
        commit: String,
        /// The branch.
        branch: String,
    },
    /// Git itself failed in a way that has no name of its own.
    #[error("git could not {action}: {message}")]
    Git {
        /// What it was doing.
        action: &'static str,
        /// The end of what it said (shortened, without secrets).
        message: String,
    },
    /// The file system of the server failed.
    #[error("cannot {action}: {message}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// What the system said.
        message: String,
    },
}

impl SourceError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotFound { .. } => "Check the spelling of the URL; if the repository is private, give a user name and an access token that may read it".to_owned(),
            Self::AuthenticationRequired { .. } => "Give a user name and a password (better: an access token that may only read). Some forges also ask when a repository does not exist, so check the URL's spelling too".to_owned(),
            Self::AuthenticationFailed { .. } => "Check the user name and the password or access token, whether the token has expired, and whether it may read this repository".to_owned(),
            Self::Unreachable { .. } => "Check the host and port in the URL, and whether this server may reach it (DNS, firewall, proxy, certificate)".to_owned(),
            Self::Moved { .. } => "Open the repository in a browser and use the address shown there".to_owned(),
            Self::NotGit { .. } => "Use the address that the forge shows for cloning over HTTPS, not that of a page about the repository".to_owned(),
            Self::Empty { .. } => "Push a first commit with the Kubernetes config file, then try again".to_owned(),
            Self::TooLarge { .. } => "Take large files out of the history (git filter-repo), or ask a platform engineer to raise the server's limit for mirrors".to_owned(),
            Self::TimedOut { .. } => "Try again; if it keeps happening, look at the Git server's load and at the network between".to_owned(),
            Self::NotMirrored { .. } => "Sync the repository first".to_owned(),
            Self::PathOutside { .. } => "Write the path from the repository's root, such as deploy/service.yaml, without a leading / and without ..".to_owned(),
            Self::PathMissing { nearest, .. } => match nearest.as_slice() {
                [] => "Check the path and the branch; the file must be committed and pushed".to_owned(),
                [one] => format!("Did you mean `{one}`?"),
                many => format!("Nearest are: {}", many.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
            },
            Self::IsDirectory { path } if path.is_empty() => "Name the file in it, such as service.yaml".to_owned(),
            Self::IsDirectory { path } => format!("Name the file in it, such as {path}/service.yaml"),
            Self::IsSubmodule { .. } => "Use the submodule's own repository, or commit the file itself".to_owned(),
            Self::SymlinkOutside { .. } => "Commit the file itself in place of the link".to_owned(),
            Self::SymlinkBroken { .. } => "Mend the link, or commit the file itself in its place".to_owned(),
            Self::FileTooLarge { .. } => "Name the Kubernetes config file; those are a few KiB".to_owned(),
            Self::ExportTooLarge { .. } => "Take large files out of the commit (fetch them in the Dockerfile), or ask a platform engineer to raise the server's limit".to_owned(),
            Self::UnknownRevision { .. } => "Check the spelling, and that it has been pushed".to_owned(),
            Self::InvalidBranch { .. } => "A branch's name, such as `hotfix/login`, has no spaces, no `..` and none of `~^:?*[\\`".to_owned(),
            Self::InvalidRevision { .. } => "Give a branch, a tag, or 4 to 40 hexadecimal digits of a commit".to_owned(),
            Self::AmbiguousRevision { .. } => "Give more digits of the commit, or the full name: refs/heads/NAME for a branch, refs/tags/NAME for a tag".to_owned(),
            Self::NotOnBranch { .. } => "The branch was rewritten; list it again from its newest commit".to_owned(),
            Self::Git { .. } | Self::Io { .. } => return None,
        };
        Some(text)
    }

    /// Whether the same call may well succeed later, with nothing changed by the user.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Io { .. }
        )
    }

    /// Wraps an error of the server's file system.
    pub(crate) fn io(action: &'static str, error: &std::io::Error) -> Self {
        Self::Io {
            action,
            message: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_named_in_words() {
        let directory = |path: &str| SourceError::IsDirectory { path: path.into() };
        assert_eq!(
            directory("").to_string(),
            "the repository's root is a directory, not a file"
        );
        assert!(
            directory("")
                .hint()
                .unwrap()
                .ends_with("such as service.yaml")
        );
        assert_eq!(directory("a").to_string(), "`a` is a directory, not a file");
        assert!(directory("a").hint().unwrap().ends_with("a/service.yaml"));
    }

    #[test]
    fn a_missing_path_names_what_is_near() {
        let missing = |nearest: &[&str]| SourceError::PathMissing {
            path: "servce.yaml".into(),
            commit: "95f6178".into(),
            nearest: nearest.iter().map(|s| (*s).to_owned()).collect(),
        };
        assert_eq!(
            missing(&["service.yaml"]).hint().unwrap(),
            "Did you mean `service.yaml`?"
        );
        assert_eq!(
            missing(&["a.yaml", "b.yaml"]).hint().unwrap(),
            "Nearest are: `a.yaml`, `b.yaml`"
        );
        assert!(missing(&[]).hint().unwrap().contains("pushed"));
    }
}
