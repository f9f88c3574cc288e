//! Pull requests as forges have them: what is read of them, and what they tell. Pure.

use serde::Deserialize;

use super::PushError;
use crate::CommitId;

/// Longest text kept of a title, a name or an address, in characters.
const MAX_CHARS: usize = 500;

/// How a pull request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullState {
    /// It can be merged, or closed.
    Open,
    /// It was closed without being merged.
    Closed,
    /// It was merged.
    Merged,
}

/// A pull request, as the forge says that it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: i64,
    /// Its title (at most 500 characters).
    pub title: String,
    /// Login of who opened it.
    pub author: String,
    /// How it is.
    pub state: PullState,
    /// Its newest commit.
    pub head: CommitId,
    /// The branch that it comes from.
    pub head_branch: String,
    /// The branch that it goes to.
    pub base_branch: String,
    /// Whether its commits may be anybody's: it comes from another repository, also where that one
    /// is gone, or from no branch at all (Gitea's `git push origin HEAD:refs/for/main`).
    pub from_fork: bool,
    /// Its page.
    pub html_url: String,
}

/// A pull request to open, between two branches of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPullRequest {
    /// Its title.
    pub title: String,
    /// Its text, in Markdown.
    pub body: String,
    /// The branch that it comes from.
    pub head: String,
    /// The branch that it goes to.
    pub base: String,
}

/// How a commit does, as a status in the forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusState {
    /// Not known yet.
    Pending,
    /// Well.
    Success,
    /// Not well.
    Failure,
}

impl StatusState {
    /// As forges write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// A status of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    /// Names it: the newest of a name counts.
    pub context: String,
    /// How the commit does.
    pub state: StatusState,
    /// What it leads to.
    pub target_url: String,
    /// In a few words.
    pub description: String,
}

/// That something became of a pull request. What, the forge is asked itself: events come late,
/// twice and out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullEvent {
    /// Its number.
    pub number: i64,
}

/// Reads an event of a pull request. `event` is the value of `X-Gitea-Event` or `X-GitHub-Event`;
/// other events give `None`, and so does what changes neither a pull request's state nor its head
/// (labels, reviews).
pub fn parse_pull(event: &str, body: &[u8]) -> Result<Option<PullEvent>, PushError> {
    #[derive(Deserialize)]
    struct Event {
        #[serde(default)]
        action: String,
        number: i64,
    }
    if event != "pull_request" {
        return Ok(None);
    }
    let event: Event = serde_json::from_slice(body).map_err(|error| PushError {
        reason: error.to_string(),
    })?;
    let matters = matches!(
        event.action.as_str(),
        "opened" | "reopened" | "closed" | "synchronized" | "synchronize" | "edited"
    );
    Ok((matters && event.number > 0).then_some(PullEvent {
        number: event.number,
    }))
}

/// Hostile text, fit for a line.
pub(super) fn line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_matter_are_read_and_others_are_not() {
        let of = |event: &str, body: &str| parse_pull(event, body.as_bytes());
        let number = |action: &str| {
            let body = format!(r#"{{"action":"{action}","number":12,"pull_request":{{}}}}"#);
            of("pull_request", &body).unwrap().map(|pull| pull.number)
        };
        for action in [
            "opened",
            "reopened",
            "closed",
            "synchronized",
            "synchronize",
        ] {
            assert_eq!(number(action), Some(12), "{action}");
        }
        assert_eq!(number("label_updated"), None);
        assert_eq!(of("push", "{}"), Ok(None));
        assert!(of("pull_request", r#"{"action":"opened"}"#).is_err());
        let none = of("pull_request", r#"{"action":"opened","number":-1}"#);
        assert_eq!(none, Ok(None));
    }

    #[test]
    fn a_title_is_one_line() {
        assert_eq!(line(" a\nb\u{7} "), "a b");
        assert_eq!(line(&"x".repeat(900)).len(), MAX_CHARS);
    }
}
