//! Reads from a mirror: branches, commits and files. Never touches the network.

use std::path::Path;

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::batch::{Batch, Kind, Reply};
use crate::git::Git;
use crate::path::{clean, nearest, split};
use crate::revision::{self, Found, check, check_branch, choose, shorten};
use crate::sync::MAX_BRANCHES;
use crate::{Branch, Commit, CommitId, Mirrors, RepositoryUrl, SourceError, object};

/// Most commits that one call returns.
const MAX_PAGE: usize = 1000;
/// Most objects that share the beginning of an id and are looked at.
const MAX_SAME_PREFIX: usize = 1000;
/// Names of one folder that are compared with a misspelt one: at most this many bytes of them.
const FOLDER_BYTES: usize = 1024 * 1024;

impl Mirrors {
    /// Name of the branch that the repository's own HEAD names (else `main`, `master` or the first).
    pub async fn default_branch(&self, url: &RepositoryUrl) -> Result<String, SourceError> {
        let folder = self.mirrored(url)?;
        let name = Git::local(Some(&folder), "read the default branch")
            .args(["symbolic-ref", "HEAD"])
            .success(Vec::new(), 4096, self.limits.read_timeout)
            .await?;
        let name = String::from_utf8_lossy(&name);
        Ok(name.trim().trim_start_matches("refs/heads/").to_owned())
    }

    /// Branches, the one with the newest commit first; at most 10,000.
    pub async fn branches(&self, url: &RepositoryUrl) -> Result<Vec<Branch>, SourceError> {
        let folder = self.mirrored(url)?;
        let list = Git::local(Some(&folder), "list branches")
            .args(["for-each-ref", "--sort=-committerdate"])
            .args(["--format=%(objectname) %(committerdate:unix) %(refname:lstrip=2)"])
            .args([format!("--count={MAX_BRANCHES}").as_str(), "refs/heads"])
            .success(Vec::new(), 8 * 1024 * 1024, self.limits.read_timeout)
            .await?;
        Ok(list.split(|b| *b == b'\n').filter_map(branch).collect())
    }

    /// Finds the one commit that a branch, a tag or 4 to 40 digits of an id name.
    pub async fn resolve(
        &self,
        url: &RepositoryUrl,
        revision: &str,
    ) -> Result<CommitId, SourceError> {
        let wanted = check(revision)?;
        let folder = self.mirrored(url)?;
        let whole = CommitId::parse(revision).ok();
        if let Some(commit) = &whole
            && self.known.is_revision(url, commit)
        {
            return Ok(commit.clone());
        }
        let changes = self.known.changes();
        let found = self.timed(url, async {
            let mut batch = Batch::check(Git::local(Some(&folder), "resolve a revision"))?;
            let mut found = Found::default();
            if let Some(name) = wanted.branch {
                found.branch =
                    commit_of(&mut batch, &format!("refs/heads/{name}^{{commit}}")).await?;
            }
            if let Some(name) = wanted.tag {
                found.tag = commit_of(&mut batch, &format!("refs/tags/{name}^{{commit}}")).await?;
            }
            if let Some(digits) = &wanted.digits {
                for id in self.with_prefix(&folder, digits).await? {
                    if let Reply::Object {
                        kind: Kind::Commit, ..
                    } = batch.ask(&id, 0).await?
                        && let Ok(id) = CommitId::parse(&id)
                        && !self.is_of_pull_only(&folder, &id).await?
                    {
                        found.ids.push(id);
                    }
                }
            }
            choose(&wanted, found)
        });
        let found = found.await?;
        // A branch may have the name of a commit, and another one the name of this one.
        if whole.as_ref() == Some(&found) {
            self.known.keep_revision(url, &found, changes);
        }
        Ok(found)
    }

    /// One commit.
    pub async fn commit(
        &self,
        url: &RepositoryUrl,
        commit: &CommitId,
    ) -> Result<Commit, SourceError> {
        self.mirrored(url)?;
        if let Some(known) = self.known.commit(url, commit) {
            return Ok(known);
        }
        let mut found = self
            .commits_by_id(url, std::slice::from_ref(commit))
            .await?;
        let found = found.pop().ok_or_else(|| SourceError::UnknownRevision {
            revision: commit.to_string(),
        })?;
        self.known.keep_commit(url, &found);
        Ok(found)
    }

    /// Commits by their ids, in the order asked for; those that are not there are left out.
    /// At most 1,000 are read.
    pub async fn commits_by_id(
        &self,
        url: &RepositoryUrl,
        ids: &[CommitId],
    ) -> Result<Vec<Commit>, SourceError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let folder = self.mirrored(url)?;
        self.timed(url, async {
            let mut batch = Batch::contents(Git::local(Some(&folder), "read commits"))?;
            let mut commits = Vec::with_capacity(ids.len().min(MAX_PAGE));
            for id in ids.iter().take(MAX_PAGE) {
                let reply = batch.ask(id.as_str(), object::MAX_OBJECT_BYTES).await?;
                if let Reply::Object {
                    kind: Kind::Commit,
                    bytes,
                    ..
                } = reply
                {
                    commits.push(object::parse(id.clone(), &bytes));
                }
            }
            Ok(commits)
        })
        .await
    }

    /// A page of a branch's history, newest first: at most `limit` (1 to 1,000) commits, behind
    /// the commit `after` where one is given.
    ///
    /// Walks only as far as the page reaches, and reads only the page's commits.
    pub async fn commits(
        &self,
        url: &RepositoryUrl,
        branch: &str,
        after: Option<&CommitId>,
        limit: usize,
    ) -> Result<Vec<Commit>, SourceError> {
        check_branch(branch)?;
        let folder = self.mirrored(url)?;
        let ids = self
            .timed(
                url,
                self.page_of(&folder, branch, after, limit.clamp(1, MAX_PAGE)),
            )
            .await?;
        self.commits_by_id(url, &ids).await
    }

    /// Commits that `of` has and `without` does not, newest first: at most `limit` (1 to 1,000).
    pub async fn commits_between(
        &self,
        url: &RepositoryUrl,
        without: &CommitId,
        of: &CommitId,
        limit: usize,
    ) -> Result<Vec<Commit>, SourceError> {
        let folder = self.mirrored(url)?;
        let limit = limit.clamp(1, MAX_PAGE);
        let list = Git::local(Some(&folder), "compare commits")
            .args(["rev-list", "--topo-order", "--max-count"])
            .args([limit.to_string(), of.to_string(), format!("^{without}")])
            .args(["--"])
            .success(Vec::new(), MAX_PAGE * 64, self.limits.read_timeout)
            .await?;
        let list = String::from_utf8_lossy(&list);
        let ids: Vec<CommitId> = list
            .lines()
            .filter_map(|line| CommitId::parse(line.trim()).ok())
            .collect();
        self.commits_by_id(url, &ids).await
    }

    /// Reads a file of a commit. Symbolic links are followed as long as they stay inside the
    /// repository.
    pub async fn read_file(
        &self,
        url: &RepositoryUrl,
        commit: &CommitId,
        path: &str,
    ) -> Result<Vec<u8>, SourceError> {
        let path = clean(path)?;
        let folder = self.mirrored(url)?;
        let limit = self.limits.file_bytes;
        self.timed(url, async {
            let mut batch = Batch::contents(Git::local(Some(&folder), "read a file"))?;
            require_commit(&mut batch, commit).await?;
            let reply = batch
                .ask(&format!("{commit}:{path}"), limit as usize)
                .await?;
            match reply {
                Reply::Object {
                    kind: Kind::Blob,
                    size,
                    ..
                } if size > limit => Err(SourceError::FileTooLarge { path, size, limit }),
                Reply::Object {
                    kind: Kind::Blob,
                    bytes,
                    ..
                } => Ok(bytes),
                Reply::Object {
                    kind: Kind::Tree, ..
                } => Err(SourceError::IsDirectory { path }),
                Reply::Object { .. } => Err(SourceError::IsSubmodule { path }),
                Reply::Outside { target } => Err(SourceError::SymlinkOutside {
                    path,
                    target: shorten(&target),
                }),
                Reply::Dangling => Err(SourceError::SymlinkBroken { path }),
                Reply::Missing => Err(self.missing(&folder, commit, path).await?),
            }
        })
        .await
    }

    /// Whether a file (not a folder) is there at a commit.
    pub async fn exists(
        &self,
        url: &RepositoryUrl,
        commit: &CommitId,
        path: &str,
    ) -> Result<bool, SourceError> {
        let path = clean(path)?;
        let folder = self.mirrored(url)?;
        self.timed(url, async {
            let mut batch = Batch::check(Git::local(Some(&folder), "look for a file"))?;
            require_commit(&mut batch, commit).await?;
            let reply = batch.ask(&format!("{commit}:{path}"), 0).await?;
            Ok(matches!(
                reply,
                Reply::Object {
                    kind: Kind::Blob,
                    ..
                }
            ))
        })
        .await
    }

    /// Ids of one page, from a walk that is stopped as soon as the page is full.
    async fn page_of(
        &self,
        folder: &Path,
        branch: &str,
        after: Option<&CommitId>,
        limit: usize,
    ) -> Result<Vec<CommitId>, SourceError> {
        let mut batch = Batch::check(Git::local(Some(folder), "find a branch"))?;
        let head = commit_of(&mut batch, &format!("refs/heads/{branch}^{{commit}}"))
            .await?
            .ok_or_else(|| SourceError::UnknownRevision {
                revision: shorten(branch),
            })?;
        let mut git = Git::local(Some(folder), "list commits").args(["rev-list"]);
        if after.is_none() {
            git = git.args([format!("--max-count={limit}")]);
        }
        let mut group = git.args([head.as_str(), "--"]).spawn()?;
        drop((group.stdin(), group.stderr()));
        let Some(stdout) = group.stdout() else {
            return Ok(Vec::new());
        };
        let mut lines = BufReader::new(stdout).lines();
        let mut page = Vec::with_capacity(limit);
        let mut passed = after.is_none();
        while page.len() < limit {
            let line = lines
                .next_line()
                .await
                .map_err(|e| SourceError::io("read from git", &e))?;
            let Some(line) = line else { break };
            if passed {
                page.extend(CommitId::parse(&line));
            } else {
                passed = after.is_some_and(|id| id.as_str() == line);
            }
        }
        match after {
            Some(after) if !passed => Err(SourceError::NotOnBranch {
                commit: after.short().to_owned(),
                branch: branch.to_owned(),
            }),
            _ => Ok(page),
        }
    }

    /// Ids of the objects that begin with the digits.
    async fn with_prefix(&self, folder: &Path, digits: &str) -> Result<Vec<String>, SourceError> {
        if digits.len() == 40 {
            return Ok(vec![digits.to_owned()]);
        }
        let list = Git::local(Some(folder), "find a commit")
            .args(["rev-parse", &format!("--disambiguate={digits}")])
            .success(Vec::new(), FOLDER_BYTES, self.limits.read_timeout)
            .await?;
        let list = String::from_utf8_lossy(&list);
        Ok(list
            .lines()
            .take(MAX_SAME_PREFIX)
            .map(str::to_owned)
            .collect())
    }

    /// The error for a path that is not there, with the names that look most like it.
    async fn missing(
        &self,
        folder: &Path,
        commit: &CommitId,
        path: String,
    ) -> Result<SourceError, SourceError> {
        // Up to the deepest folder that exists: there the spelling went wrong.
        let mut wanted = path.as_str();
        let mut batch = Batch::check(Git::local(Some(folder), "look for a folder"))?;
        let near = loop {
            let (parent, name) = split(wanted);
            let reply = batch.ask(&format!("{commit}:{parent}"), 0).await?;
            if let Reply::Object {
                kind: Kind::Tree,
                id,
                ..
            } = reply
            {
                let names = self.names(folder, &id).await?;
                if wanted == path && names.iter().any(|n| n == name) {
                    // It is there, and Git has no object for it.
                    return Ok(SourceError::IsSubmodule { path });
                }
                let found = nearest(name, names.iter().map(String::as_str));
                let join = |name| {
                    if parent.is_empty() {
                        name
                    } else {
                        format!("{parent}/{name}")
                    }
                };
                break found.into_iter().map(join).collect();
            }
            if parent.is_empty() {
                break Vec::new();
            }
            wanted = parent;
        };
        Ok(SourceError::PathMissing {
            commit: commit.short().to_owned(),
            path,
            nearest: near,
        })
    }

    /// Names in one folder; none if there are too many to look through.
    async fn names(&self, folder: &Path, tree: &str) -> Result<Vec<String>, SourceError> {
        let list = Git::local(Some(folder), "list a folder")
            .args(["ls-tree", "-z", "--name-only", tree])
            .success(Vec::new(), FOLDER_BYTES, self.limits.read_timeout)
            .await;
        let list = match list {
            Err(SourceError::Git { .. }) => return Ok(Vec::new()),
            other => other?,
        };
        Ok(list
            .split(|b| *b == 0)
            .filter_map(|name| String::from_utf8(name.to_vec()).ok())
            .filter(|name| !name.is_empty() && !name.chars().any(char::is_control))
            .collect())
    }

    /// Ends what takes longer than an answer may.
    pub(crate) async fn timed<T>(
        &self,
        url: &RepositoryUrl,
        work: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        let limit = self.limits.read_timeout;
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            Err(SourceError::TimedOut {
                subject: url.to_string(),
                limit,
            })
        })
    }
}

/// The commit that a name stands for.
async fn commit_of(batch: &mut Batch, name: &str) -> Result<Option<CommitId>, SourceError> {
    Ok(match batch.ask(name, 0).await? {
        Reply::Object {
            kind: Kind::Commit,
            id,
            ..
        } => CommitId::parse(&id).ok(),
        _ => None,
    })
}

/// An error unless the commit is there.
pub(crate) async fn require_commit(
    batch: &mut Batch,
    commit: &CommitId,
) -> Result<(), SourceError> {
    match commit_of(batch, commit.as_str()).await? {
        Some(_) => Ok(()),
        None => Err(SourceError::UnknownRevision {
            revision: commit.to_string(),
        }),
    }
}

/// Reads `<id> <seconds> <name>`; names that are not UTF-8 cannot be asked for and are left out.
fn branch(line: &[u8]) -> Option<Branch> {
    let line = std::str::from_utf8(line).ok()?;
    let mut parts = line.splitn(3, ' ');
    let head = CommitId::parse(parts.next()?).ok()?;
    let committed_at = object::timestamp(parts.next()?.parse().ok()?);
    let name = parts.next()?.to_owned();
    revision::check_branch(&name).ok()?;
    Some(Branch {
        name,
        head,
        committed_at,
    })
}
