//! Commits and branches, as the rest of Hermez sees them: clean and bounded.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Id of a commit: 40 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

/// A text is not a full commit id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a commit id has 40 hexadecimal digits")]
pub struct CommitIdError;

impl CommitId {
    /// Takes a full id; upper-case digits become lower-case.
    pub fn parse(text: &str) -> Result<Self, CommitIdError> {
        if text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(CommitIdError)
        }
    }

    /// The 40 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for CommitId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for CommitId {
    type Err = CommitIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for CommitId {
    type Error = CommitIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

/// A commit. Texts are UTF-8, without control characters (the body keeps line ends and tabs).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: CommitId,
    /// First line of the message; at most 200 characters.
    pub title: String,
    /// The rest of the message; at most 10,000 characters.
    pub body: String,
    /// Author's name; at most 200 characters.
    pub author: String,
    /// Author's e-mail address; at most 200 characters.
    pub author_email: String,
    /// When it was committed (the committer's clock).
    pub committed_at: Timestamp,
    /// Parents; none for a root, two or more for a merge. At most 64 are kept.
    pub parents: Vec<CommitId>,
}

/// A branch of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Name, without `refs/heads/`.
    pub name: String,
    /// Its newest commit.
    pub head: CommitId,
    /// When that was committed.
    pub committed_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_ids_are_ids() {
        let full = "95F6178e872a9d279440e579dbcf3600eed5dd7e";
        let id = CommitId::parse(full).unwrap();
        assert_eq!(id.as_str(), full.to_ascii_lowercase());
        assert_eq!(id.short(), "95f6178");
        for bad in [
            "",
            "95f6178",
            &"g".repeat(40),
            &"é".repeat(20),
            &format!("{full}0"),
        ] {
            assert_eq!(CommitId::parse(bad), Err(CommitIdError), "{bad}");
        }
    }
}
