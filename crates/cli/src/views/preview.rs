//! Pull requests and their previews.

use hermez_api::{Page as List, Preview, PreviewState, PullRequest, PullRequestState};

use super::{Page, cut, dash, deploy, duration, more, rollouts, short};
use crate::print::cell;

/// A state in words.
pub fn state(state: PreviewState) -> &'static str {
    match state {
        PreviewState::Active => "awake",
        PreviewState::Sleeping => "asleep",
        PreviewState::Waking => "waking",
        PreviewState::Removing => "being removed",
        PreviewState::Removed => "removed",
    }
}

/// How a preview does, in a few words: its deploy first, where that has not ended well.
fn stands(preview: &Preview) -> String {
    let stands = match &preview.deploy {
        Some(newest) if newest.state != hermez_api::DeployState::Succeeded => {
            deploy::state(newest.state)
        }
        _ => state(preview.state),
    };
    match &preview.bad {
        Some(_) => format!("{stands} (bad)"),
        None => stands.to_owned(),
    }
}

/// The table of pull requests.
pub fn list(pulls: &List<PullRequest>, page: &Page) -> String {
    if pulls.items.is_empty() {
        return "No open pull requests.\n".to_owned();
    }
    let rows = pulls.items.iter().map(|pull| {
        let preview = pull.preview.as_ref();
        let stands = match preview {
            Some(preview) => stands(preview),
            None if !pull.allowed => "from a fork, not allowed".to_owned(),
            None => dash(),
        };
        let url = preview.and_then(|preview| preview.url.clone());
        vec![
            pull.number.to_string(),
            cut(&pull.title, 40),
            cut(&pull.author, 20),
            short(&pull.head),
            cut(&pull.head_branch, 30),
            stands,
            url.map_or_else(dash, |url| cell(&url)),
        ]
    });
    let header = ["pr", "title", "by", "commit", "branch", "preview", "url"];
    page.table(&header, &["branch", "by"], rows.collect()) + &more(pulls)
}

/// One pull request with its preview.
pub fn show(pull: &PullRequest, page: &Page) -> String {
    let how = match pull.state {
        PullRequestState::Open => "open",
        PullRequestState::Closed => "closed",
        PullRequestState::Merged => "merged",
    };
    let mut facts = vec![
        (
            "Pull request",
            format!("{} {}", pull.number, cut(&pull.title, 72)),
        ),
        ("State", format!("{how}, by {}", cell(&pull.author))),
        ("Commit", pull.head.clone()),
        (
            "Branches",
            format!(
                "{} into {}",
                cell(&pull.head_branch),
                cell(&pull.base_branch)
            ),
        ),
        ("Page", cell(&pull.html_url)),
    ];
    if pull.from_fork {
        let number = pull.number;
        facts.push((
            "Fork",
            match &pull.allowed_by {
                Some(by) => format!("this commit was allowed by {}", cell(by)),
                None => format!(
                    "this commit is not allowed yet: `hermez pr allow {number} --commit {}`",
                    pull.head
                ),
            },
        ));
    }
    let Some(preview) = &pull.preview else {
        let number = pull.number;
        facts.push((
            "Preview",
            format!("none: `hermez deploy --pr {number}` makes one"),
        ));
        return page.facts(&facts);
    };
    facts.push((
        "Preview",
        format!("{}, {}", cell(&preview.instance), stands(preview)),
    ));
    facts.push(("URL", preview.url.as_deref().map_or_else(dash, cell)));
    if let Some(newest) = &preview.deploy {
        let text = format!(
            "{} of {}: {}",
            newest.id,
            short(&newest.commit),
            newest.message
        );
        facts.push(("Deploy", cut(&text, 100)));
    }
    if let Some(bad) = &preview.bad {
        facts.push(("Bad", rollouts::bad(bad, page)));
    }
    let pods = format!("{} of {} ready", preview.pods_ready, preview.replicas);
    facts.push(("Pods", pods));
    facts.push(("Last used", page.ago(preview.last_used_at)));
    if let Some(at) = preview.sleeps_at {
        facts.push(("Sleeps", page.date(at)));
    }
    facts.push(("Goes", page.date(preview.expires_at)));
    if preview.shared {
        facts.push(("Shared", "by a link".to_owned()));
    }
    if let Some(took) = preview.last_wake_ms {
        let took = duration(jiff::SignedDuration::from_millis(took));
        facts.push(("Last woke in", took));
    }
    page.facts(&facts)
}

#[cfg(test)]
mod tests {
    use super::super::tests::page;
    use super::*;

    #[test]
    fn what_allows_a_commit_of_a_fork_can_be_copied() {
        let head = "95f6178bd34c1a3e4bd0bb7f8fa26c4a95a5ea4f";
        let pull = PullRequest {
            number: 12,
            title: "Say hello".to_owned(),
            author: "eve".to_owned(),
            state: PullRequestState::Open,
            head: head.to_owned(),
            head_branch: "topic".to_owned(),
            base_branch: "main".to_owned(),
            from_fork: true,
            html_url: "http://forge/pulls/12".to_owned(),
            allowed: false,
            allowed_by: None,
            preview: None,
        };
        let text = show(&pull, &page());
        let line = format!("`hermez pr allow 12 --commit {head}`");
        assert!(text.contains(&line), "{text}");
    }
}
