//! Writes the files of a commit into a folder, to build from.
//!
//! Guarantees: everything is counted before anything is written; what is written stays inside the
//! folder, and so does every symbolic link in it; the same commit gives the same bytes, modes and
//! times to the second on every server. Below the second a file's time is of its export alone: whoever
//! takes files of the same size and time for the same, as BuildKit does with what it was sent for
//! another build, must not take those of two commits of the same second for each other.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

use crate::batch::{Batch, MAX_TARGET, Reply};
use crate::git::Git;
use crate::path::{Leads, follow};
use crate::read::require_commit;
use crate::revision::shorten;
use crate::{CommitId, Mirrors, RepositoryUrl, SourceError};

/// Most paths that an export reports as left out; the rest are only counted.
const MAX_LEFT_OUT: usize = 100;
/// Bytes that the list of a commit's files may take, for each file that is allowed.
const LIST_BYTES_PER_FILE: u64 = 512;

/// What an export wrote, and what it left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Files and links written.
    pub files: u64,
    /// Bytes of the files written.
    pub bytes: u64,
    /// What is part of the commit and was not written (submodules, links that leave the
    /// repository), for the build's log; at most 100.
    pub left_out: Vec<LeftOut>,
}

/// A path that was left out of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The path.
    pub path: String,
    /// Why, in words.
    pub reason: String,
}

/// One entry of a commit's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    mode: Mode,
    id: String,
    size: u64,
    path: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    File,
    Executable,
    Link,
    Submodule,
}

impl Mirrors {
    /// Writes the whole tree of a commit into an empty (or new) folder.
    ///
    /// Symbolic links are kept if they stay inside the tree; others, and submodules, are left out
    /// and reported. Modes are 0644 or 0755; times are the commit's to the second, and below it those
    /// of this export.
    pub async fn export(
        &self,
        url: &RepositoryUrl,
        commit: &CommitId,
        into: &Path,
    ) -> Result<ExportReport, SourceError> {
        let folder = self.mirrored(url)?;
        let entries = self.entries(url, &folder, commit).await?;
        let targets = self.timed(url, self.targets(&folder, &entries)).await?;
        let (kept, mut report) = select(entries, &targets);
        report.left_out.truncate(MAX_LEFT_OUT);
        let time = self.commit(url, commit).await?.committed_at.as_second();
        let io = |e: std::io::Error| SourceError::io("write a commit's files", &e);
        tokio::fs::create_dir_all(into).await.map_err(io)?;
        let into = tokio::fs::canonicalize(into).await.map_err(io)?;
        let index = IndexFile::new(&self.staging().await?);
        let git = |action: &'static str| {
            Git::local(Some(&folder), action)
                .env("GIT_INDEX_FILE", &index.0)
                .env("GIT_WORK_TREE", &into)
        };
        let timeout = self.limits.fetch_timeout;
        git("read a commit's tree")
            .args(["read-tree", commit.as_str()])
            .success(Vec::new(), 4096, timeout)
            .await?;
        let list = kept
            .iter()
            .flat_map(|entry| entry.path.iter().copied().chain([0]))
            .collect();
        git("write a commit's files")
            .args(["checkout-index", "--quiet", "-z", "--stdin"])
            .success(list, 4096, timeout)
            .await?;
        tokio::task::spawn_blocking(move || settle(&into, &kept, time))
            .await
            .map_err(|e| io(e.into()))?
            .map_err(io)?;
        Ok(report)
    }

    /// Lists the tree of a commit, and refuses one that is too large.
    async fn entries(
        &self,
        url: &RepositoryUrl,
        folder: &Path,
        commit: &CommitId,
    ) -> Result<Vec<Entry>, SourceError> {
        let (max_files, max_bytes) = (self.limits.export_files, self.limits.export_bytes);
        let too_large = |what| SourceError::ExportTooLarge {
            commit: commit.short().to_owned(),
            what,
        };
        self.timed(url, async {
            let mut batch = Batch::check(Git::local(Some(folder), "find a commit"))?;
            require_commit(&mut batch, commit).await
        })
        .await?;
        let limit = (max_files * LIST_BYTES_PER_FILE) as usize + 64 * 1024;
        let list = Git::local(Some(folder), "list a commit's files")
            .args(["ls-tree", "-r", "-l", "-z", "--full-tree", commit.as_str()])
            .success(Vec::new(), limit, self.limits.read_timeout)
            .await
            .map_err(|error| match error {
                SourceError::Git { message, .. } if message.contains("longer than") => {
                    too_large(format!("more than {max_files} files"))
                }
                other => other,
            })?;
        let entries: Vec<Entry> = list.split(|b| *b == 0).filter_map(entry).collect();
        if entries.len() as u64 > max_files {
            return Err(too_large(format!(
                "{} files, the limit is {max_files}",
                entries.len()
            )));
        }
        let bytes = entries
            .iter()
            .fold(0_u64, |sum, entry| sum.saturating_add(entry.size));
        if bytes > max_bytes {
            return Err(too_large(format!(
                "{bytes} bytes, the limit is {max_bytes}"
            )));
        }
        Ok(entries)
    }

    /// Reads where the symbolic links point, for those whose path and target are UTF-8.
    async fn targets(
        &self,
        folder: &Path,
        entries: &[Entry],
    ) -> Result<HashMap<String, String>, SourceError> {
        // Collected, since an iterator with a closure may not live across an await.
        let links: Vec<&Entry> = entries.iter().filter(|e| e.mode == Mode::Link).collect();
        let mut targets = HashMap::new();
        if links.is_empty() {
            return Ok(targets);
        }
        let mut batch = Batch::contents(Git::local(Some(folder), "read symbolic links"))?;
        for link in links {
            let reply = batch.ask(&link.id, MAX_TARGET).await?;
            if let Reply::Object { bytes, size, .. } = reply
                && size <= MAX_TARGET as u64
                && let Ok(target) = String::from_utf8(bytes)
                && let Ok(path) = String::from_utf8(link.path.clone())
            {
                targets.insert(path, target);
            }
        }
        Ok(targets)
    }
}

/// Decides what is written. Pure.
fn select(entries: Vec<Entry>, targets: &HashMap<String, String>) -> (Vec<Entry>, ExportReport) {
    let mut report = ExportReport::default();
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(reason) = why_left_out(&entry, targets) {
            let path = shorten(&String::from_utf8_lossy(&entry.path));
            report.left_out.push(LeftOut { path, reason });
        } else {
            report.files += 1;
            report.bytes += entry.size;
            kept.push(entry);
        }
    }
    (kept, report)
}

fn why_left_out(entry: &Entry, targets: &HashMap<String, String>) -> Option<String> {
    match entry.mode {
        Mode::File | Mode::Executable => None,
        Mode::Submodule => Some("it is a submodule, which Hermez does not fetch".to_owned()),
        Mode::Link => {
            let path = std::str::from_utf8(&entry.path).ok();
            let target = path.and_then(|path| targets.get(path));
            let (Some(path), Some(target)) = (path, target) else {
                return Some("it is a symbolic link whose name or target is not UTF-8".to_owned());
            };
            match follow(targets, path) {
                Leads::Inside => None,
                Leads::Outside => Some(format!(
                    "it is a symbolic link that leaves the repository (to `{}`)",
                    shorten(target)
                )),
                Leads::Nowhere => Some("it is a symbolic link that leads in a circle".to_owned()),
            }
        }
    }
}

/// Reads one line of `ls-tree -l`: mode, type, id, size, tab, path.
fn entry(line: &[u8]) -> Option<Entry> {
    let tab = line.iter().position(|b| *b == b'\t')?;
    let head = std::str::from_utf8(&line[..tab]).ok()?;
    let mut words = head.split_whitespace();
    let mode = match words.next()? {
        "100755" => Mode::Executable,
        "120000" => Mode::Link,
        "160000" => Mode::Submodule,
        _ => Mode::File,
    };
    let id = words.nth(1)?.to_owned();
    let size = words.next()?.parse().unwrap_or(0);
    Some(Entry {
        mode,
        id,
        size,
        path: line[tab + 1..].to_vec(),
    })
}

/// Gives files and folders the modes and the time that they have everywhere, to the second.
fn settle(root: &Path, kept: &[Entry], seconds: i64) -> std::io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    let time = TimeSpec::new(seconds, 0);
    // Nobody can tell it before. Layers of images have whole seconds.
    let below = (uuid::Uuid::new_v4().as_u128() % 1_000_000_000) as i64;
    let own_time = TimeSpec::new(seconds, below);
    let mut folders = std::collections::BTreeSet::from([root.to_owned()]);
    for entry in kept {
        let path = root.join(std::ffi::OsStr::from_bytes(&entry.path));
        let mode = match entry.mode {
            Mode::Executable => Some(0o755),
            Mode::File => Some(0o644),
            Mode::Link | Mode::Submodule => None,
        };
        if let Some(mode) = mode {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        }
        touch(&path, own_time)?;
        let parents = path.ancestors().skip(1);
        for folder in parents.take_while(|p| p.starts_with(root)) {
            if !folders.insert(folder.to_owned()) {
                break;
            }
        }
    }
    for folder in folders {
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755))?;
        touch(&folder, time)?;
    }
    Ok(())
}

fn touch(path: &Path, time: TimeSpec) -> std::io::Result<()> {
    utimensat(
        nix::fcntl::AT_FDCWD,
        path,
        &time,
        &time,
        UtimensatFlags::NoFollowSymlink,
    )
    .map_err(std::io::Error::from)
}

/// An index of one export's own; deleted with it.
struct IndexFile(PathBuf);

impl IndexFile {
    fn new(below: &Path) -> Self {
        Self(below.join(format!("index-{}", uuid::Uuid::new_v4())))
    }
}

impl Drop for IndexFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<Entry> {
        text.split('|')
            .filter_map(|line| entry(line.as_bytes()))
            .collect()
    }

    #[test]
    fn lines_of_ls_tree_are_read() {
        let entries = parsed(
            "100644 blob aaa      12\tREADME|\
             100755 blob bbb 7\tbin/run it|\
             120000 blob ccc 3\tlink|\
             160000 commit ddd -\tsub|",
        );
        let seen: Vec<_> = entries
            .iter()
            .map(|e| (e.mode, e.size, e.path.as_slice()))
            .collect();
        assert_eq!(
            seen,
            [
                (Mode::File, 12, &b"README"[..]),
                (Mode::Executable, 7, b"bin/run it"),
                (Mode::Link, 3, b"link"),
                (Mode::Submodule, 0, b"sub"),
            ]
        );
    }

    #[test]
    fn what_leaves_the_tree_is_left_out_and_told() {
        let entries = parsed(
            "100644 blob a 5\ta|120000 blob b 1\tin|120000 blob c 1\tout|160000 commit d -\tsub|",
        );
        let targets = HashMap::from([
            ("in".to_owned(), "a".to_owned()),
            ("out".to_owned(), "../../etc/passwd".to_owned()),
        ]);
        let (kept, report) = select(entries, &targets);
        assert_eq!(kept.len(), 2);
        assert_eq!((report.files, report.bytes), (2, 6));
        let out: Vec<_> = report.left_out.iter().map(|l| l.path.as_str()).collect();
        assert_eq!(out, ["out", "sub"]);
        assert!(report.left_out[0].reason.contains("../../etc/passwd"));
    }
}
