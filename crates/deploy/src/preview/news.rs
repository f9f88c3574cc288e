//! What the forge is told of a preview: one comment, and the status of its commit. Pure.

use std::fmt::Write as _;

use hermez_api::{DeployState, PreviewState};
use hermez_source::forge::{CommitStatus, StatusState};
use hermez_store::{DeployRecord, PreviewRecord, WorkloadRecord};
use sha2::{Digest, Sha256};
use url::Url;

/// Longest description of a status, in characters.
const MAX_DESCRIPTION: usize = 140;
/// Longest text of a failure in a comment, in characters.
const MAX_MESSAGE: usize = 500;

/// What the forge is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The hidden line by which the comment is found again.
    pub marker: String,
    /// The comment.
    pub comment: String,
    /// The status of its commit.
    pub status: CommitStatus,
}

impl News {
    /// The same for the same news.
    pub fn digest(&self, commit: &str) -> String {
        let status = &self.status;
        let digest = Sha256::new()
            .chain_update(commit)
            .chain_update(&self.comment)
            .chain_update(status.state.as_str())
            .chain_update(&status.target_url)
            .chain_update(&status.description)
            .finalize();
        hex::encode(&digest[..16])
    }
}

/// Where things are found.
#[derive(Debug, Clone)]
pub struct Places {
    /// Where the preview answers; nothing without a gateway or a port.
    pub preview: Option<Url>,
    /// Where people reach Hermez.
    pub hermez: Url,
}

/// What the forge is told of a preview and its newest deploy.
pub fn news(
    preview: &PreviewRecord,
    workload: &WorkloadRecord,
    deploy: Option<&DeployRecord>,
    places: &Places,
) -> News {
    let name = &workload.name;
    let page = match deploy {
        Some(deploy) => under(&places.hermez, &format!("deploys/{}", deploy.id)),
        None => under(&places.hermez, &format!("workloads/{name}")),
    };
    let (state, words) = stand(preview, deploy);
    let marker = format!("<!-- hermez preview {name} -->");
    let short: String = preview.head_commit.chars().take(7).collect();
    let mut comment = format!("{marker}\n**Preview of `{name}`**: {words}\n\n");
    let gone = matches!(
        preview.state,
        PreviewState::Removing | PreviewState::Removed
    );
    if !gone {
        match &places.preview {
            Some(url) => {
                let _ = writeln!(comment, "- URL: {url}");
            }
            None => comment.push_str("- It has no URL: no port, or no preview gateway.\n"),
        }
        let _ = write!(comment, "- Commit: `{short}`\n- [Its deploy]({page})\n\n");
        let settings = &workload.previews;
        let _ = writeln!(
            comment,
            "It sleeps after {} minutes without a visit, and the next visit wakes it. It goes when \
             this pull request is closed, or {} days after its last use.",
            settings.idle_minutes, settings.expiry_days
        );
    }
    News {
        marker,
        comment,
        status: CommitStatus {
            context: format!("hermez/preview/{name}"),
            state,
            target_url: match (&places.preview, state) {
                (Some(url), StatusState::Success) if !gone => url.to_string(),
                _ => page.to_string(),
            },
            description: cut(&words, MAX_DESCRIPTION),
        },
    }
}

/// How it stands, in words without the details that change from second to second.
fn stand(preview: &PreviewRecord, deploy: Option<&DeployRecord>) -> (StatusState, String) {
    use StatusState::{Failure, Pending, Success};
    if matches!(
        preview.state,
        PreviewState::Removing | PreviewState::Removed
    ) {
        let why = preview.removed_why.as_deref().unwrap_or("it was removed");
        return (
            Success,
            format!("removed, because {}", cut(why, MAX_MESSAGE)),
        );
    }
    let Some(deploy) = deploy else {
        return (Pending, "asked for".to_owned());
    };
    match deploy.state {
        DeployState::Succeeded => (Success, "ready".to_owned()),
        DeployState::Failed => {
            let message = plain(&deploy.message);
            (Failure, format!("failed: {}", cut(&message, MAX_MESSAGE)))
        }
        DeployState::Canceled => (Failure, "its deploy was canceled".to_owned()),
        DeployState::Building => (Pending, "building".to_owned()),
        DeployState::Applying | DeployState::RollingOut => (Pending, "rolling out".to_owned()),
        _ => (Pending, "waiting".to_owned()),
    }
}

/// A page of Hermez' own.
pub(crate) fn under(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let begin = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{begin}/{path}"));
    url
}

/// Text from builds and pods, without what Markdown or a mention would make of it.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '`' | '<' | '>' | '@' | '[' | ']' | '!' | '#' | '*' | '|' => ' ',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

fn cut(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).collect();
    if text.chars().nth(most).is_some() {
        short.pop();
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use hermez_api::{Category, PreviewSettings};
    use jiff::Timestamp;

    use super::*;
    use crate::preview::decide::tests::mk_preview;
    use crate::state::tests::mk_deploy;

    fn workload() -> WorkloadRecord {
        WorkloadRecord {
            id: 1,
            name: "hello".into(),
            kind: "PinterestService".into(),
            category: Category::Production,
            project: "demo".into(),
            namespace: "default".into(),
            repository_id: 1,
            config_path: "service.yaml".into(),
            version: 1,
            created_at: Timestamp::UNIX_EPOCH,
            created_by: "ada".into(),
            deleted_at: None,
            auto_deploy: None,
            scale_bounds: hermez_api::ScaleBounds {
                min: 0,
                max: 10_000,
            },
            pin: None,
            previews: PreviewSettings::default(),
        }
    }

    fn of(state: PreviewState, deploy: DeployState, message: &str) -> News {
        let mut preview = mk_preview(state);
        preview.removed_why = Some("the pull request was closed".into());
        let mut deploy = mk_deploy(deploy);
        deploy.message = message.into();
        let places = Places {
            preview: "http://hello-pr-12.preview.localhost:7071/".parse().ok(),
            hermez: "http://hermez.example/base/".parse().expect("a URL"),
        };
        news(&preview, &workload(), Some(&deploy), &places)
    }

    #[test]
    fn a_ready_one_leads_to_itself_and_a_failed_one_to_why() {
        let ready = of(PreviewState::Active, DeployState::Succeeded, "");
        assert_eq!(ready.status.context, "hermez/preview/hello");
        assert_eq!(ready.status.state, StatusState::Success);
        assert_eq!(
            ready.status.target_url,
            "http://hello-pr-12.preview.localhost:7071/"
        );
        assert!(ready.comment.starts_with("<!-- hermez preview hello -->\n"));
        let asleep = of(PreviewState::Sleeping, DeployState::Succeeded, "");
        assert_eq!(asleep, ready, "sleeping is no news");
        let failed = of(
            PreviewState::Active,
            DeployState::Failed,
            "build: @all <img> `x`",
        );
        assert_eq!(failed.status.state, StatusState::Failure);
        assert!(
            failed
                .status
                .target_url
                .starts_with("http://hermez.example/base/deploys/")
        );
        assert!(!failed.comment.contains('@') && !failed.comment.contains("<img"));
    }

    #[test]
    fn a_removed_one_says_why_and_has_no_url() {
        let gone = of(PreviewState::Removed, DeployState::Succeeded, "");
        assert!(
            gone.comment
                .contains("removed, because the pull request was closed")
        );
        assert!(!gone.comment.contains("preview.localhost"));
        let begun = of(PreviewState::Removing, DeployState::Succeeded, "");
        assert_eq!(begun.digest("a"), gone.digest("a"));
    }

    #[test]
    fn long_words_are_cut() {
        let failed = of(PreviewState::Active, DeployState::Failed, &"x".repeat(9000));
        assert!(failed.status.description.chars().count() <= MAX_DESCRIPTION);
        assert!(failed.comment.chars().count() < 2000);
    }
}
