//! Puts commits on top of another, or takes them back: real three-way merges, with no working tree.
//!
//! What is made lies beside the mirror until it is pushed: a conflict, and a push that is refused,
//! leave nothing behind. The same commits on the same base give the same ids, so that a request that
//! was cut short is asked again without harm.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::commit::{Commit, CommitId};
use crate::disk::Staged;
use crate::git::Git;
use crate::revision::{check_branch, shorten};
use crate::sync::remote_of;
use crate::{Credential, Mirrors, RepositoryUrl, SourceError, stderr};

/// Most commits of one call.
pub const MAX_PICKS: usize = 50;
/// Most files that a conflict names.
const MAX_FILES: usize = 50;
/// Most hunks of one file.
const MAX_HUNKS: usize = 20;
/// Longest hunk, in lines.
const HUNK_LINES: usize = 60;
/// Longest line of a hunk, in characters.
const LINE_CHARS: usize = 300;
/// Largest file whose hunks are looked for, in bytes.
const FILE_BYTES: usize = 1024 * 1024;
/// Most that one command may say, in bytes.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_mins(1);
/// Whom commits are from that Hermez makes.
const EMAIL: &str = "hermez@localhost";

/// Which way a commit is put on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Its change is made (`git cherry-pick -x`).
    Pick,
    /// Its change is taken back (`git revert`).
    Revert,
}

/// Commits that were made, not pushed yet. Dropping it deletes them.
pub struct Picked {
    /// The newest of them.
    pub head: CommitId,
    objects: Staged,
}

impl std::fmt::Debug for Picked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picked")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

/// A file that a commit changes in a place where the other side has changed it, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictFile {
    /// Its path.
    pub path: String,
    /// What collides, in Git's words, for example `CONFLICT (content): Merge conflict in a.txt`.
    pub message: String,
    /// Where, with both sides as Git marks them; none for a binary file or one that is gone.
    pub hunks: Vec<Hunk>,
}

/// One place of a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// Line of the merged text, from 1.
    pub line: u32,
    /// From `<<<<<<<` to `>>>>>>>`; cut when it is long.
    pub text: String,
}

/// Why commits cannot be put on top.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PickError {
    /// The repository or a commit cannot be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// No commit was named, or too many.
    #[error("{count} commits were named; 1 to {MAX_PICKS} are taken")]
    Count {
        /// How many.
        count: usize,
    },
    /// It does not fit.
    #[error("{} {title} does not fit: {} in conflict", commit.short(), files_in_words(files))]
    Conflict {
        /// The commit.
        commit: CommitId,
        /// First line of its message.
        title: String,
        /// The files; at most 50.
        files: Vec<ConflictFile>,
    },
    /// A merge has no one change.
    #[error("{} is a merge of {parents} commits and has no one change", commit.short())]
    Merge {
        /// The commit.
        commit: CommitId,
        /// How many.
        parents: usize,
    },
    /// The first commit of a history has nothing before it to compare with.
    #[error("{} is the first commit of its history", commit.short())]
    Root {
        /// The commit.
        commit: CommitId,
    },
    /// It is there already.
    #[error("{} {title} changes nothing here: what it does is there already", commit.short())]
    Nothing {
        /// The commit.
        commit: CommitId,
        /// First line of its message.
        title: String,
    },
    /// The branch is there already, with something else.
    #[error("the repository has a branch `{branch}` already, with something else on it")]
    BranchTaken {
        /// The branch.
        branch: String,
    },
    /// The repository does not take the branch.
    #[error("the repository does not take the branch `{branch}`: {message}")]
    Refused {
        /// The branch.
        branch: String,
        /// The server's words.
        message: String,
    },
}

fn files_in_words(files: &[ConflictFile]) -> String {
    match files {
        [] => "nothing is".to_owned(),
        [one] => format!("{} is", one.path),
        [one, rest @ ..] => format!("{} and {} more are", one.path, rest.len()),
    }
}

impl PickError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Source(
                SourceError::AuthenticationRequired { .. }
                | SourceError::AuthenticationFailed { .. },
            ) => {
                "Give the repository's credential the right to push, or the server an access token for the forge"
            }
            Self::Source(error) => return error.hint(),
            Self::Count { .. } => "Name the commits in the order in which they are to be made",
            Self::Conflict { .. } => {
                "Name the commits that it needs as well, before it; or make the change on a branch by hand, push it, and deploy that"
            }
            Self::Merge { .. } => "Name the commits that it brought in",
            Self::Root { .. } => "Name a later commit",
            Self::Nothing { .. } => "Leave it out",
            Self::BranchTaken { .. } => "Name another branch, or delete that one",
            Self::Refused { .. } => "Name a branch that the forge's rules let this server push",
        };
        Some(text.to_owned())
    }
}

/// What is put on top of what, for whom.
#[derive(Debug, Clone, Copy)]
pub struct Pick<'a> {
    /// The commit to begin with.
    pub base: &'a CommitId,
    /// The commits, in the order in which they are made.
    pub commits: &'a [CommitId],
    /// Which way.
    pub direction: Direction,
    /// Who asks; stands in the commits as their committer.
    pub by: &'a str,
}

impl Mirrors {
    /// Makes new commits on top of `pick.base`; nothing of them is in the mirror until they are
    /// pushed ([`Mirrors::push_branch`]) and fetched.
    ///
    /// # Errors
    /// [`PickError::Conflict`] with the files and hunks of the first commit that does not fit.
    pub async fn pick(&self, url: &RepositoryUrl, pick: Pick<'_>) -> Result<Picked, PickError> {
        let count = pick.commits.len();
        if !(1..=MAX_PICKS).contains(&count) {
            return Err(PickError::Count { count });
        }
        let mirror = self.mirrored(url)?;
        let commits = self.commits_by_id(url, pick.commits).await?;
        if let Some(missing) = pick
            .commits
            .iter()
            .find(|id| commits.iter().all(|commit| commit.id != **id))
        {
            return Err(SourceError::UnknownRevision {
                revision: missing.to_string(),
            }
            .into());
        }
        let objects = Staged::new(&self.staging().await?);
        tokio::fs::create_dir_all(&objects.0)
            .await
            .map_err(|error| SourceError::io("make a folder for commits", &error))?;
        let bench = Bench {
            mirror,
            objects: objects.0.clone(),
        };
        let mut head = pick.base.clone();
        for id in pick.commits {
            // Found above; named twice, it is there twice.
            let Some(commit) = commits.iter().find(|commit| commit.id == *id) else {
                continue;
            };
            head = bench.put(&head, commit, pick.direction, pick.by).await?;
        }
        Ok(Picked { head, objects })
    }

    /// Pushes commits as a new branch. A branch that has exactly them already is fine.
    ///
    /// # Errors
    /// [`PickError::BranchTaken`] when the branch has something else; [`PickError::Refused`] in the
    /// server's words.
    pub async fn push_branch(
        &self,
        url: &RepositoryUrl,
        picked: &Picked,
        branch: &str,
        credential: Option<&Credential>,
    ) -> Result<(), PickError> {
        check_branch(branch)?;
        let bench = Bench {
            mirror: self.mirrored(url)?,
            objects: picked.objects.0.clone(),
        };
        let name = format!("refs/heads/{branch}");
        let remote = remote_of(&bench.mirror, url).await;
        let output = bench
            .set(Git::new(Some(&bench.mirror), "push a branch"))
            .credential(url, credential)
            .args(["push", "--porcelain", "--no-verify", "--no-signed"])
            // It must not be there.
            .args([format!("--force-with-lease={name}:")])
            .args([
                "--",
                remote.as_str(),
                format!("{}:{name}", picked.head).as_str(),
            ])
            .output(Vec::new(), ANSWER_BYTES, self.limits.fetch_timeout)
            .await?;
        if output.success {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stdout);
        let branch = branch.to_owned();
        match said.lines().find(|line| line.starts_with('!')) {
            Some(line) if line.contains("stale info") || line.contains("already exists") => {
                Err(PickError::BranchTaken { branch })
            }
            Some(line) => Err(PickError::Refused {
                branch,
                message: refusal(line, &output.stderr),
            }),
            None => {
                Err(stderr::classify(&url.to_string(), &output.stderr, credential.is_some()).into())
            }
        }
    }
}

/// Why a push was refused: the server's own words where it has some.
fn refusal(line: &str, stderr: &str) -> String {
    let words: Vec<&str> = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("remote:"))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(5)
        .collect();
    let text = if words.is_empty() {
        line.rsplit('\t').next().unwrap_or(line).to_owned()
    } else {
        words.join(" ")
    };
    shorten(&text)
}

/// A mirror, and the folder that new objects go to.
struct Bench {
    mirror: PathBuf,
    objects: PathBuf,
}

impl Bench {
    /// Has a command write its objects beside the mirror.
    fn set(&self, git: Git) -> Git {
        git.env("GIT_OBJECT_DIRECTORY", &self.objects).env(
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            self.mirror.join("objects"),
        )
    }

    fn git(&self, action: &'static str) -> Git {
        self.set(Git::local(Some(Path::new(&self.mirror)), action))
    }

    /// One line of an answer: the id of what was made.
    async fn made(&self, git: Git, input: Vec<u8>) -> Result<CommitId, SourceError> {
        let answer = git.success(input, 4096, TIMEOUT).await?;
        let text = String::from_utf8_lossy(&answer);
        CommitId::parse(text.trim()).map_err(|_| SourceError::Git {
            action: "make a commit",
            message: shorten(&text),
        })
    }

    /// The id of a commit's tree.
    async fn tree(&self, commit: &CommitId) -> Result<CommitId, SourceError> {
        let git = self.git("read a tree");
        let git = git.args(["rev-parse", "--verify", "--end-of-options"]);
        let git = git.args([format!("{commit}^{{tree}}")]);
        self.made(git, Vec::new()).await
    }

    /// A commit without a message, for a merge to find its base by.
    async fn stand_in(&self, tree: &CommitId, parent: &CommitId) -> Result<CommitId, SourceError> {
        let git =
            self.git("make a commit")
                .args(["commit-tree", tree.as_str(), "-p", parent.as_str()]);
        let git = identity(git, "hermez", EMAIL, "@0 +0000");
        self.made(git, Vec::new()).await
    }

    /// Puts one commit on top of `onto`.
    async fn put(
        &self,
        onto: &CommitId,
        commit: &Commit,
        direction: Direction,
        by: &str,
    ) -> Result<CommitId, PickError> {
        let id = commit.id.clone();
        let parent = match commit.parents.as_slice() {
            [parent] => parent,
            [] => return Err(PickError::Root { commit: id }),
            parents => {
                let parents = parents.len();
                return Err(PickError::Merge {
                    commit: id,
                    parents,
                });
            }
        };
        // `git merge-tree` (2.38 to 2.39) finds the base of a merge in the history alone: both sides
        // get a stand-in whose only parent is the base that a pick or a revert has.
        let before = self.tree(onto).await?;
        let (base, theirs) = match direction {
            Direction::Pick => (parent, id.clone()),
            Direction::Revert => {
                let tree = self.tree(parent).await?;
                (&id, self.stand_in(&tree, &id).await?)
            }
        };
        let ours = self.stand_in(&before, base).await?;
        let merged = self
            .git("merge")
            .args(["merge-tree", "--write-tree", "-z", "--messages"])
            .args([ours.as_str(), theirs.as_str()])
            .output(Vec::new(), ANSWER_BYTES, TIMEOUT)
            .await?;
        let answer = Merged::read(&merged.stdout);
        let Some(answer) = answer else {
            return Err(SourceError::Git {
                action: "merge",
                message: stderr::last_words(&merged.stderr),
            }
            .into());
        };
        let title = commit.title.clone();
        if !merged.success {
            let files = self.conflicts(&answer, direction).await?;
            return Err(PickError::Conflict {
                commit: id,
                title,
                files,
            });
        }
        if answer.tree == before {
            return Err(PickError::Nothing { commit: id, title });
        }
        Ok(self.commit(onto, &answer.tree, &id, direction, by).await?)
    }

    /// Makes the commit, after the one that it is made from.
    async fn commit(
        &self,
        onto: &CommitId,
        tree: &CommitId,
        from: &CommitId,
        direction: Direction,
        by: &str,
    ) -> Result<CommitId, SourceError> {
        let show = self
            .git("read a commit")
            .args(["show", "-s", "--format=%an%x00%ae%x00%ad%x00%cd%x00%B"])
            .args(["--date=raw", "--no-show-signature", "--end-of-options"])
            .args([from.as_str()]);
        let raw = show.success(Vec::new(), ANSWER_BYTES, TIMEOUT).await?;
        let raw = String::from_utf8_lossy(&raw).into_owned();
        let mut parts = raw.splitn(5, '\0');
        let mut part = || parts.next().unwrap_or_default().trim().to_owned();
        let (name, email, authored, committed, message) = (part(), part(), part(), part(), part());
        // The `@` says that it is seconds, however few.
        let (authored, committed) = (format!("@{authored}"), format!("@{committed}"));
        let title = message.lines().next().unwrap_or_default().to_owned();
        let message = match direction {
            Direction::Pick => format!("{message}\n\n(cherry picked from commit {from})\n"),
            Direction::Revert => {
                format!("Revert \"{title}\"\n\nThis reverts commit {from}.\n")
            }
        };
        let git = self.git("make a commit").args([
            "commit-tree",
            tree.as_str(),
            "-p",
            onto.as_str(),
            "-F",
            "-",
        ]);
        // The time of the commit that it is made from, not of now: asked twice, it is the same.
        let git = match direction {
            Direction::Pick => identity(git, by, EMAIL, &committed)
                .env("GIT_AUTHOR_NAME", or_unknown(&name))
                .env("GIT_AUTHOR_EMAIL", or_unknown(&email))
                .env("GIT_AUTHOR_DATE", &authored),
            Direction::Revert => identity(git, by, EMAIL, &committed),
        };
        self.made(git, message.into_bytes()).await
    }

    /// The files of a merge that does not fit, with their hunks.
    async fn conflicts(
        &self,
        merged: &Merged,
        direction: Direction,
    ) -> Result<Vec<ConflictFile>, SourceError> {
        let mut files = Vec::new();
        for path in merged.files.iter().take(MAX_FILES) {
            let message = merged
                .messages
                .iter()
                .find(|(paths, _)| paths.contains(path))
                .map_or_else(|| "CONFLICT".to_owned(), |(_, message)| shorten(message));
            let blob = self
                .git("read a file")
                .args(["cat-file", "blob"])
                .args([format!("{}:{path}", merged.tree)])
                .output(Vec::new(), FILE_BYTES, TIMEOUT)
                .await;
            let text = match blob {
                Ok(output) if output.success => output.stdout,
                // Gone on one side, too large, or a submodule.
                _ => Vec::new(),
            };
            files.push(ConflictFile {
                path: shorten(path),
                message,
                hunks: hunks(&text, direction),
            });
        }
        Ok(files)
    }
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

/// Says whom a commit is from.
fn identity(git: Git, name: &str, email: &str, date: &str) -> Git {
    let name = or_unknown(name);
    git.env("GIT_AUTHOR_NAME", name)
        .env("GIT_AUTHOR_EMAIL", email)
        .env("GIT_AUTHOR_DATE", date)
        .env("GIT_COMMITTER_NAME", name)
        .env("GIT_COMMITTER_EMAIL", email)
        .env("GIT_COMMITTER_DATE", date)
}

/// What `git merge-tree --write-tree -z` says.
#[derive(Debug, PartialEq, Eq)]
struct Merged {
    tree: CommitId,
    files: Vec<String>,
    /// Paths and words of each message.
    messages: Vec<(Vec<String>, String)>,
}

impl Merged {
    /// Reads `TREE NUL (MODE ID STAGE TAB PATH NUL)* NUL (COUNT NUL PATH NUL… TYPE NUL TEXT NUL)*`.
    fn read(answer: &[u8]) -> Option<Merged> {
        let text = String::from_utf8_lossy(answer);
        let mut parts = text.split('\0');
        let tree = CommitId::parse(parts.next()?.trim()).ok()?;
        let mut files: Vec<String> = Vec::new();
        for part in parts.by_ref() {
            let Some((_, path)) = part.split_once('\t') else {
                break;
            };
            if files.last().is_none_or(|last| last != path) {
                files.push(path.to_owned());
            }
        }
        let mut messages = Vec::new();
        while let Some(count) = parts.next().and_then(|part| part.trim().parse().ok()) {
            let count: usize = count;
            let paths: Vec<String> = parts.by_ref().take(count).map(str::to_owned).collect();
            let (Some(kind), Some(message)) = (parts.next(), parts.next()) else {
                break;
            };
            if kind.starts_with("CONFLICT") {
                messages.push((paths, message.trim().to_owned()));
            }
        }
        Some(Merged {
            tree,
            files,
            messages,
        })
    }
}

/// The places that Git has marked in a text.
fn hunks(text: &[u8], direction: Direction) -> Vec<Hunk> {
    if text.contains(&0) {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(text);
    let mut found: Vec<Hunk> = Vec::new();
    let mut open: Option<(u32, Vec<String>)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if open.is_none() && line.starts_with("<<<<<<< ") {
            open = Some((number, Vec::new()));
        }
        let Some((_, lines)) = &mut open else {
            continue;
        };
        let ends = line.starts_with(">>>>>>> ");
        if lines.len() < HUNK_LINES || ends {
            lines.push(side(line, direction));
        } else if lines.len() == HUNK_LINES {
            lines.push("…".to_owned());
        }
        if ends && let Some((line, lines)) = open.take() {
            let text = lines.join("\n");
            found.push(Hunk { line, text });
            if found.len() == MAX_HUNKS {
                break;
            }
        }
    }
    found
}

/// A line of a hunk: short, and with words in place of the stand-ins' ids.
fn side(line: &str, direction: Direction) -> String {
    let line: String = line
        .chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .take(LINE_CHARS)
        .collect();
    if line.starts_with("<<<<<<< ") {
        return match direction {
            Direction::Pick => "<<<<<<< what runs".to_owned(),
            Direction::Revert => "<<<<<<< the branch".to_owned(),
        };
    }
    if line.starts_with(">>>>>>> ") {
        return match direction {
            Direction::Pick => ">>>>>>> the commit".to_owned(),
            Direction::Revert => ">>>>>>> before the commit".to_owned(),
        };
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_merge_is_read() {
        let tree = "a".repeat(40);
        let clean = Merged::read(format!("{tree}\0").as_bytes()).expect("an answer");
        assert_eq!((clean.tree.as_str(), clean.files.len()), (tree.as_str(), 0));
        let id = "b".repeat(40);
        let said = format!(
            "{tree}\0100644 {id} 1\ta b.txt\0100644 {id} 2\ta b.txt\0100644 {id} 3\tc\0\0\
             1\0a b.txt\0Auto-merging\0Auto-merging a b.txt\n\0\
             1\0a b.txt\0CONFLICT (contents)\0CONFLICT (content): Merge conflict in a b.txt\n\0"
        );
        let merged = Merged::read(said.as_bytes()).expect("an answer");
        assert_eq!(merged.files, ["a b.txt", "c"]);
        assert_eq!(
            merged.messages,
            [(
                vec!["a b.txt".to_owned()],
                "CONFLICT (content): Merge conflict in a b.txt".to_owned()
            )]
        );
        assert_eq!(Merged::read(b"fatal: no"), None);
    }

    #[test]
    fn whoever_may_not_push_is_told_what_it_takes() {
        let url = || "https://git.example.com/team/app".to_owned();
        for error in [
            SourceError::AuthenticationRequired { url: url() },
            SourceError::AuthenticationFailed { url: url() },
        ] {
            let hint = PickError::Source(error).hint().expect("a hint");
            assert!(hint.contains("the right to push"), "{hint}");
        }
    }

    #[test]
    fn hunks_are_bounded_and_keep_their_place() {
        let text = "one\n<<<<<<< abc\nours\n=======\ntheirs\n>>>>>>> def\nlast\n";
        let of = |text: &[u8]| hunks(text, Direction::Pick);
        let found = of(text.as_bytes());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 2);
        assert_eq!(
            found[0].text,
            "<<<<<<< what runs\nours\n=======\ntheirs\n>>>>>>> the commit"
        );
        let long = format!(
            "<<<<<<< a\n{}=======\n>>>>>>> b\n",
            "x\n".repeat(5 * HUNK_LINES)
        );
        let reverted = hunks(text.as_bytes(), Direction::Revert);
        assert!(reverted[0].text.starts_with("<<<<<<< the branch\n"));
        assert!(reverted[0].text.ends_with(">>>>>>> before the commit"));
        let many = of(long.repeat(2 * MAX_HUNKS).as_bytes());
        assert_eq!(many.len(), MAX_HUNKS);
        assert!(many[0].text.lines().count() <= HUNK_LINES + 2);
        assert!(of(b"<<<<<<< a\n\0=======\n>>>>>>> b\n").is_empty());
        assert!(of(b"<<<<<<< never ends\n").is_empty());
    }
}
