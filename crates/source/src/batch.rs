//! Asks a mirror for objects: one `git cat-file --batch` for as many as are wanted.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};

use crate::git::Git;
use crate::process::Group;
use crate::{CommitId, SourceError};

/// Longest line that Git answers with, in bytes: a name that we sent, and a little more.
const MAX_LINE: u64 = 8 * 1024;
/// Longest target of a symbolic link that is read, in bytes.
pub(crate) const MAX_TARGET: usize = 4096;

/// Kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes of a file, or a symbolic link's target.
    Blob,
    /// A folder.
    Tree,
    /// A commit.
    Commit,
    /// Anything else, such as a tag or another repository's commit.
    Other,
}

/// What Git says to one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It is there.
    Object {
        /// Its id.
        id: String,
        /// What it is.
        kind: Kind,
        /// Its size, in bytes.
        size: u64,
        /// Its beginning, as much as was asked for.
        bytes: Vec<u8>,
    },
    /// Nothing has that name (or more than one object has).
    Missing,
    /// A symbolic link on the way leaves the tree.
    Outside {
        /// Where it points.
        target: String,
    },
    /// A symbolic link on the way leads nowhere.
    Dangling,
}

/// A running `git cat-file --batch`. Ends when dropped.
pub(crate) struct Batch {
    _group: Group,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    with_contents: bool,
}

impl Batch {
    /// Reads objects by their names; `<commit>:<path>` follows symbolic links as far as they stay
    /// inside the commit's tree.
    pub fn contents(git: Git) -> Result<Self, SourceError> {
        Self::spawn(git.args(["cat-file", "--batch", "--follow-symlinks"]), true)
    }

    /// Like [`contents`](Self::contents), but tells only what is there.
    pub fn check(git: Git) -> Result<Self, SourceError> {
        Self::spawn(
            git.args(["cat-file", "--batch-check", "--follow-symlinks"]),
            false,
        )
    }

    fn spawn(git: Git, with_contents: bool) -> Result<Self, SourceError> {
        let mut group = git.spawn()?;
        // Its complaints (about ambiguous names) are told by its answers too.
        drop(group.stderr());
        let (Some(stdin), Some(stdout)) = (group.stdin(), group.stdout()) else {
            return Err(broken("its streams are not piped"));
        };
        Ok(Self {
            _group: group,
            stdin,
            stdout: BufReader::new(stdout),
            with_contents,
        })
    }

    /// Asks for one object and keeps at most `limit` bytes of it.
    ///
    /// `name` holds no line end: ids, checked revisions and clean paths hold none.
    pub async fn ask(&mut self, name: &str, limit: usize) -> Result<Reply, SourceError> {
        if name.contains('\n') || name.len() as u64 > MAX_LINE / 2 {
            return Ok(Reply::Missing);
        }
        let io = |e: std::io::Error| SourceError::io("talk to git", &e);
        let mut request = name.as_bytes().to_vec();
        request.push(b'\n');
        self.stdin.write_all(&request).await.map_err(io)?;
        self.stdin.flush().await.map_err(io)?;
        let line = self.line().await?;
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["symlink", size] => {
                let size = parse(size)?;
                let bytes = self.body(size, MAX_TARGET).await?;
                Ok(Reply::Outside {
                    target: String::from_utf8_lossy(&bytes).into_owned(),
                })
            }
            [word @ ("dangling" | "loop" | "notdir"), size] => {
                let size = parse(size)?;
                self.body(size, 0).await?;
                Ok(if *word == "notdir" {
                    Reply::Missing
                } else {
                    Reply::Dangling
                })
            }
            [id, kind, size] if CommitId::parse(id).is_ok() && size.parse::<u64>().is_ok() => {
                let (id, size) = ((*id).to_owned(), parse(size)?);
                let kind = match *kind {
                    "blob" => Kind::Blob,
                    "tree" => Kind::Tree,
                    "commit" => Kind::Commit,
                    _ => Kind::Other,
                };
                let bytes = if self.with_contents {
                    self.body(size, limit).await?
                } else {
                    Vec::new()
                };
                Ok(Reply::Object {
                    id,
                    kind,
                    size,
                    bytes,
                })
            }
            [.., "missing" | "ambiguous"] => Ok(Reply::Missing),
            [.., "submodule"] => Ok(Reply::Object {
                id: String::new(),
                kind: Kind::Other,
                size: 0,
                bytes: Vec::new(),
            }),
            _ => Err(broken(&line)),
        }
    }

    /// Reads a line without its end.
    async fn line(&mut self) -> Result<String, SourceError> {
        let mut line = Vec::new();
        (&mut self.stdout)
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .await
            .map_err(|e| SourceError::io("read from git", &e))?;
        if line.pop() != Some(b'\n') {
            return Err(broken("it ended early"));
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Reads the beginning of `size` bytes, and past the rest and the line end behind it.
    async fn body(&mut self, size: u64, limit: usize) -> Result<Vec<u8>, SourceError> {
        let io = |e: std::io::Error| SourceError::io("read from git", &e);
        let kept = size.min(limit as u64);
        let mut bytes = Vec::with_capacity(kept as usize);
        (&mut self.stdout)
            .take(kept)
            .read_to_end(&mut bytes)
            .await
            .map_err(io)?;
        let rest = size - kept + 1;
        let skipped = tokio::io::copy(&mut (&mut self.stdout).take(rest), &mut tokio::io::sink())
            .await
            .map_err(io)?;
        if bytes.len() as u64 != kept || skipped != rest {
            return Err(broken("it ended early"));
        }
        Ok(bytes)
    }
}

fn parse(size: &str) -> Result<u64, SourceError> {
    size.parse().map_err(|_| broken(size))
}

fn broken(message: &str) -> SourceError {
    SourceError::Git {
        action: "read objects",
        message: crate::revision::shorten(message),
    }
}
