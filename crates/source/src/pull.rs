//! Heads of pull requests: fetched one at a time, kept beside branches and tags, never among them.
//!
//! Guarantees: what a pull request brings is found by its number alone ([`Mirrors::fetch_pull`]). A
//! commit that only a pull request has is no revision of the repository: [`Mirrors::resolve`] does
//! not know it, also after the pull request has moved on, so that nobody can be talked into
//! deploying a stranger's commit by its id.

use std::path::Path;

use crate::git::Git;
use crate::sync::remote_of;
use crate::{CommitId, Credential, Mirrors, RepositoryUrl, SourceError};

/// Namespace of everything that pull requests brought: `refs/pull/NUMBER/head`, and
/// `refs/pull/NUMBER/ID` for each head that was seen.
const NAMESPACE: &str = "refs/pull";
/// Heads that are kept; those with the oldest commits go.
const MAX_KEPT: usize = 2_000;
/// Bytes that their list may take.
const LIST_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of one reference's answer.
const ANSWER_BYTES: usize = 4096;

impl Mirrors {
    /// Fetches the head of one pull request, and nothing else, into the mirror that there is.
    ///
    /// # Errors
    /// [`SourceError::UnknownRevision`] when the repository has no such pull request;
    /// [`SourceError::NotMirrored`] before the first sync; those of a sync.
    pub async fn fetch_pull(
        &self,
        url: &RepositoryUrl,
        credential: Option<&Credential>,
        number: i64,
    ) -> Result<CommitId, SourceError> {
        let _lock = self.lock(url).await;
        let folder = self.mirrored(url)?;
        let head = format!("{NAMESPACE}/{number}/head");
        let unknown = || SourceError::UnknownRevision {
            revision: head.clone(),
        };
        if number < 1 {
            return Err(unknown());
        }
        let limit = self.limits.fetch_timeout;
        let work = async {
            let remote = remote_of(&folder, url).await;
            let wanted = format!("+{head}:{head}");
            match self
                .fetch_refs(&folder, url, &remote, credential, &[wanted.as_str()])
                .await
            {
                Err(SourceError::Git { message, .. })
                    if message.contains("couldn't find remote ref") =>
                {
                    return Err(unknown());
                }
                fetched => fetched?,
            }
            let commit = self.commit_at(&folder, &head).await?.ok_or_else(unknown)?;
            let seen = format!("{NAMESPACE}/{number}/{commit}");
            Git::local(Some(&folder), "keep a pull request's head")
                .args(["update-ref", &seen, commit.as_str()])
                .success(Vec::new(), ANSWER_BYTES, self.limits.read_timeout)
                .await?;
            self.forget_oldest(&folder).await?;
            Ok(commit)
        };
        let timed = tokio::time::timeout(limit, work).await;
        timed.unwrap_or_else(|_| {
            Err(SourceError::TimedOut {
                subject: url.to_string(),
                limit,
            })
        })
    }

    /// Whether a commit came with pull requests and is on no branch and under no tag.
    pub(crate) async fn is_of_pull_only(
        &self,
        folder: &Path,
        commit: &CommitId,
    ) -> Result<bool, SourceError> {
        let contains = format!("--contains={commit}");
        let pulls = Git::local(Some(folder), "look for a pull request")
            .args(["for-each-ref", "--count=1", "--format=%(refname)"])
            .args([contains.as_str(), NAMESPACE])
            .success(Vec::new(), ANSWER_BYTES, self.limits.read_timeout)
            .await?;
        if pulls.is_empty() {
            return Ok(false);
        }
        let beside = Git::local(Some(folder), "look for a branch")
            .args(["rev-list", "--max-count=1", commit.as_str(), "--not"])
            .args(["--branches", "--tags", "--"])
            .success(Vec::new(), ANSWER_BYTES, self.limits.read_timeout)
            .await?;
        Ok(!beside.is_empty())
    }

    /// The commit that a reference names.
    async fn commit_at(
        &self,
        folder: &Path,
        reference: &str,
    ) -> Result<Option<CommitId>, SourceError> {
        let answer = Git::local(Some(folder), "read a pull request's head")
            .args(["for-each-ref", "--format=%(objectname)", reference])
            .success(Vec::new(), ANSWER_BYTES, self.limits.read_timeout)
            .await?;
        Ok(CommitId::parse(String::from_utf8_lossy(&answer).trim()).ok())
    }

    /// Lets go of the oldest heads where there are too many.
    async fn forget_oldest(&self, folder: &Path) -> Result<(), SourceError> {
        let list = Git::local(Some(folder), "list pull requests")
            .args(["for-each-ref", "--sort=-committerdate"])
            .args(["--format=delete %(refname)", NAMESPACE])
            .success(Vec::new(), LIST_BYTES, self.limits.read_timeout)
            .await?;
        let list = String::from_utf8_lossy(&list);
        let old: Vec<&str> = list.lines().skip(MAX_KEPT).collect();
        if old.is_empty() {
            return Ok(());
        }
        let input = old.join("\n") + "\n";
        Git::local(Some(folder), "forget pull requests")
            .args(["update-ref", "--stdin"])
            .success(input.into_bytes(), ANSWER_BYTES, self.limits.read_timeout)
            .await
            .map(drop)
    }
}
