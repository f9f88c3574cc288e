//! Revisions as people and programs give them: checked before Git sees them, and resolved without
//! Git's own guessing.

use crate::{CommitId, SourceError};

/// Longest revision that is taken, in bytes.
const MAX_BYTES: usize = 250;

/// A revision whose form is harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision<'a> {
    /// As given.
    pub text: &'a str,
    /// The branch that it may be.
    pub branch: Option<&'a str>,
    /// The tag that it may be.
    pub tag: Option<&'a str>,
    /// The digits, if it may be (the beginning of) a commit id.
    pub digits: Option<String>,
}

/// What Git found for a revision.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The branch's commit.
    pub branch: Option<CommitId>,
    /// The tag's commit.
    pub tag: Option<CommitId>,
    /// Commits whose ids begin with the digits.
    pub ids: Vec<CommitId>,
}

/// Checks a revision's form.
pub(crate) fn check(text: &str) -> Result<Revision<'_>, SourceError> {
    if !is_ref_name(text) {
        return Err(SourceError::InvalidRevision {
            revision: shorten(text),
        });
    }
    if let Some(name) = text.strip_prefix("refs/heads/") {
        return Ok(Revision {
            text,
            branch: Some(name),
            tag: None,
            digits: None,
        });
    }
    if let Some(name) = text.strip_prefix("refs/tags/") {
        return Ok(Revision {
            text,
            branch: None,
            tag: Some(name),
            digits: None,
        });
    }
    let is_digits = (4..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    Ok(Revision {
        text,
        branch: Some(text),
        tag: Some(text),
        digits: is_digits.then(|| text.to_ascii_lowercase()),
    })
}

/// Checks the name of a branch.
///
/// # Errors
/// [`SourceError::InvalidBranch`] when Git has no such names.
pub fn check_branch(name: &str) -> Result<(), SourceError> {
    if is_ref_name(name) {
        Ok(())
    } else {
        Err(SourceError::InvalidBranch {
            name: shorten(name),
        })
    }
}

/// Decides which commit is meant.
///
/// A full id always is that commit, whatever a branch may be called: nobody can take a commit's
/// place with a branch of its name. Else, everything found must agree.
pub(crate) fn choose(revision: &Revision<'_>, found: Found) -> Result<CommitId, SourceError> {
    if revision.digits.as_ref().is_some_and(|d| d.len() == 40)
        && let [id] = found.ids.as_slice()
    {
        return Ok(id.clone());
    }
    let mut meanings: Vec<(String, CommitId)> = Vec::new();
    if let (Some(name), Some(id)) = (revision.branch, found.branch) {
        meanings.push((format!("branch {name} ({})", id.short()), id));
    }
    if let (Some(name), Some(id)) = (revision.tag, found.tag) {
        meanings.push((format!("tag {name} ({})", id.short()), id));
    }
    for id in found.ids {
        meanings.push((format!("commit {}", &id.as_str()[..12]), id));
    }
    match meanings.first() {
        None => Err(SourceError::UnknownRevision {
            revision: shorten(revision.text),
        }),
        Some((_, first)) if meanings.iter().all(|(_, id)| id == first) => Ok(first.clone()),
        Some(_) => Err(SourceError::AmbiguousRevision {
            revision: shorten(revision.text),
            candidates: meanings
                .into_iter()
                .take(10)
                .map(|(what, _)| what)
                .collect(),
        }),
    }
}

/// Git's own rules for names (git-check-ref-format), and a little stricter: nothing that Git's
/// revision language reads in another way, nothing that could be taken for an option.
#[allow(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "Git forbids `.lock`, not `.LOCK`"
)]
fn is_ref_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_BYTES
        && text != "@"
        && !text.starts_with('-')
        && !text.contains("..")
        && !text.contains("@{")
        && !text.ends_with('.')
        && !text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c))
        && text
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
}

/// Makes hostile text fit for an error message.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(100)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(100).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> CommitId {
        CommitId::parse(&digit.to_string().repeat(40)).unwrap()
    }

    #[test]
    fn hostile_forms_are_refused() {
        for bad in [
            "",
            "@",
            "-",
            "--upload-pack=touch /tmp/x",
            "--all",
            "-n1",
            "a..b",
            "..",
            "main@{1}",
            "main~1",
            "main^",
            "HEAD^{tree}",
            "main:secret",
            ":/fix",
            "a b",
            "a\nb",
            "a\0b",
            "*",
            "/main",
            "main/",
            "a//b",
            ".hidden",
            "a/.b",
            "x.lock",
            "x.",
            "a\\b",
            &"x".repeat(251),
        ] {
            assert!(
                matches!(check(bad), Err(SourceError::InvalidRevision { .. })),
                "{bad:?}"
            );
        }
        for good in [
            "main",
            "feature/x-1",
            "v1.0.0",
            "95f6178",
            "refs/heads/main",
            "übung",
            "@x",
        ] {
            check(good).unwrap_or_else(|e| panic!("{good}: {e}"));
        }
    }

    #[test]
    fn errors_carry_no_control_characters() {
        let text = check("a\u{1b}[31m\n").unwrap_err().to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }

    #[test]
    fn full_names_mean_one_thing() {
        let head = check("refs/heads/v1").unwrap();
        assert_eq!(
            (head.branch, head.tag, head.digits),
            (Some("v1"), None, None)
        );
        let tag = check("refs/tags/abcdef").unwrap();
        assert_eq!(
            (tag.branch, tag.tag, tag.digits),
            (None, Some("abcdef"), None)
        );
    }

    #[test]
    fn a_full_id_cannot_be_taken_over_by_a_branch_of_its_name() {
        let full = id('a');
        let found = Found {
            branch: Some(id('b')),
            tag: None,
            ids: vec![full.clone()],
        };
        assert_eq!(choose(&check(full.as_str()).unwrap(), found).unwrap(), full);
    }

    #[test]
    fn what_disagrees_is_ambiguous_and_what_agrees_is_not() {
        let given = check("beef").unwrap();
        let both = |branch, tag| Found {
            branch: Some(branch),
            tag: Some(tag),
            ids: vec![],
        };
        assert_eq!(choose(&given, both(id('a'), id('a'))).unwrap(), id('a'));
        let error = choose(&given, both(id('a'), id('b'))).unwrap_err();
        let SourceError::AmbiguousRevision { candidates, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(candidates, ["branch beef (aaaaaaa)", "tag beef (bbbbbbb)"]);
        let two = Found {
            ids: vec![id('a'), id('b')],
            ..Found::default()
        };
        assert!(matches!(
            choose(&given, two),
            Err(SourceError::AmbiguousRevision { .. })
        ));
        assert!(matches!(
            choose(&given, Found::default()),
            Err(SourceError::UnknownRevision { .. })
        ));
    }
}
