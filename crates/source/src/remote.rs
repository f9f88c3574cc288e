//! Talks to a repository's server: what it has, and fetching it.

use std::path::Path;
use std::time::Duration;

use crate::disk::grows_beyond;
use crate::git::Git;
use crate::process::{Captured, read_tail};
use crate::{Credential, Mirrors, RepositoryUrl, SourceError, revision, stderr};

/// Time within which a server must at least list its references.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of Git's complaints is kept, in bytes.
const STDERR_BYTES: usize = 16 * 1024;

/// What a server says about a repository before anything is fetched.
pub(crate) struct Probe {
    /// The spelling of the URL that it answers to.
    pub remote: String,
    /// The branch that its HEAD names.
    pub head: Option<String>,
}

impl Mirrors {
    /// Asks the server in both spellings of the URL; the first answer wins.
    pub(crate) async fn probe_spellings(
        &self,
        url: &RepositoryUrl,
        credential: Option<&Credential>,
    ) -> Result<Probe, SourceError> {
        let [given, other] = url.remotes();
        match self.probe(url, &given, credential).await {
            Err(error) if worth_another_spelling(&error) => {
                self.probe(url, &other, credential).await.map_err(|_| error)
            }
            result => result,
        }
    }

    /// Asks the server which branch its HEAD names.
    pub(crate) async fn probe(
        &self,
        url: &RepositoryUrl,
        remote: &str,
        credential: Option<&Credential>,
    ) -> Result<Probe, SourceError> {
        let limit = PROBE_TIMEOUT.min(self.limits.fetch_timeout);
        let output = Git::new(None, "list the repository's references")
            .credential(url, credential)
            .args(["ls-remote", "--symref", "--quiet", "--", remote, "HEAD"])
            .output(Vec::new(), 64 * 1024, limit)
            .await
            .map_err(|error| match error {
                SourceError::TimedOut { limit, .. } => SourceError::TimedOut {
                    subject: url.to_string(),
                    limit,
                },
                other => other,
            })?;
        if !output.success {
            return Err(stderr::classify(
                &url.to_string(),
                &output.stderr,
                credential.is_some(),
            ));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let head = text
            .lines()
            .filter_map(|line| {
                line.strip_prefix("ref: refs/heads/")?
                    .strip_suffix("\tHEAD")
            })
            .find(|name| revision::check_branch(name).is_ok())
            .map(str::to_owned);
        Ok(Probe {
            remote: remote.to_owned(),
            head,
        })
    }

    /// Fetches branches and tags into a mirror, and watches its size meanwhile.
    pub(crate) async fn fetch(
        &self,
        folder: &Path,
        url: &RepositoryUrl,
        remote: &str,
        credential: Option<&Credential>,
    ) -> Result<(), SourceError> {
        let all = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
        self.fetch_refs(folder, url, remote, credential, &all).await
    }

    /// Fetches references into a mirror, and watches its size meanwhile.
    pub(crate) async fn fetch_refs(
        &self,
        folder: &Path,
        url: &RepositoryUrl,
        remote: &str,
        credential: Option<&Credential>,
        references: &[&str],
    ) -> Result<(), SourceError> {
        let mut group = Git::new(Some(folder), "fetch")
            .credential(url, credential)
            .args([
                "fetch",
                "--quiet",
                "--prune",
                "--force",
                "--no-tags",
                "--no-auto-maintenance",
                "--no-recurse-submodules",
                "--no-write-fetch-head",
                "--no-show-forced-updates",
                "--",
                remote,
            ])
            .args(references)
            .spawn()?;
        let io = |e: std::io::Error| SourceError::io("read from git", &e);
        drop(group.stdin());
        // Quiet as it is told to be; closed, it would be an error to write to.
        let _stdout = group.stdout();
        let stderr = group.stderr();
        let run = async {
            let words = match stderr {
                Some(stream) => read_tail(stream, STDERR_BYTES).await.map_err(io)?,
                None => Captured::default(),
            };
            let status = group.wait().await.map_err(io)?;
            if status.success() {
                return Ok(());
            }
            Err(stderr::classify(
                &url.to_string(),
                &String::from_utf8_lossy(&words.bytes),
                credential.is_some(),
            ))
        };
        tokio::select! {
            result = run => result,
            () = grows_beyond(folder, self.limits.mirror_bytes) => Err(self.too_large(url)),
        }
    }

    /// The refusal of a repository that is larger than a mirror may be, if one of that size is.
    pub fn refusal_of_size(&self, url: &RepositoryUrl, bytes: u64) -> Option<SourceError> {
        (bytes > self.limits.mirror_bytes).then(|| self.too_large(url))
    }

    pub(crate) fn too_large(&self, url: &RepositoryUrl) -> SourceError {
        SourceError::TooLarge {
            url: url.to_string(),
            limit: self.limits.mirror_bytes,
        }
    }
}

/// Whether a server may answer to the other spelling of a URL (with or without `.git`).
pub(crate) fn worth_another_spelling(error: &SourceError) -> bool {
    matches!(
        error,
        SourceError::NotFound { .. } | SourceError::Moved { .. } | SourceError::NotGit { .. }
    )
}
