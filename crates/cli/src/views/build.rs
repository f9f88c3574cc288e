//! Builds, their steps and logs.

use hermez_api::{Build, BuildState, BuildSummary, LogLine, Page as List};

use super::{Page, cut, dash, more, short};
use crate::print::{cell, printable_log};

/// A state in words.
pub fn state(state: BuildState) -> &'static str {
    match state {
        BuildState::Queued => "queued",
        BuildState::Running => "running",
        BuildState::Succeeded => "succeeded",
        BuildState::Failed => "failed",
        BuildState::Canceled => "canceled",
    }
}

/// Whether nothing more happens to a build in this state.
pub fn is_over(state: BuildState) -> bool {
    matches!(
        state,
        BuildState::Succeeded | BuildState::Failed | BuildState::Canceled
    )
}

/// The table of builds.
pub fn list(builds: &List<BuildSummary>, page: &Page) -> String {
    if builds.items.is_empty() {
        return "No builds. Start one with `hermez build start COMMIT --watch`.\n".to_owned();
    }
    let rows = builds.items.iter().map(|build| {
        vec![
            build.id.to_string(),
            cell(&build.workload),
            state(build.state).to_owned(),
            short(&build.commit),
            cut(&build.title, 40),
            cut(&build.requested_by, 20),
            page.ago(build.created_at),
            page.took(build.started_at, build.finished_at),
            build
                .error
                .as_deref()
                .map_or_else(String::new, |error| cut(error, 60)),
        ]
    });
    let header = [
        "build", "workload", "state", "commit", "title", "by", "asked", "took", "error",
    ];
    page.table(&header, &["error", "took", "by"], rows.collect()) + &more(builds)
}

/// One build with its steps.
pub fn show(build: &Build, page: &Page) -> String {
    let summary = &build.summary;
    let mut facts = vec![
        ("Build", summary.id.to_string()),
        ("Workload", summary.workload.clone()),
        (
            "State",
            format!("{} (try {})", state(summary.state), summary.attempt),
        ),
        (
            "Commit",
            format!("{} {}", summary.commit, cut(&summary.title, 72)),
        ),
        (
            "Asked",
            format!(
                "{} by {}",
                page.date(summary.created_at),
                summary.requested_by
            ),
        ),
        ("Took", page.took(summary.started_at, summary.finished_at)),
    ];
    if let Some(error) = &summary.error {
        facts.push(("Error", error.clone()));
    }
    if let Some(hint) = &summary.hint {
        facts.push(("Hint", hint.clone()));
    }
    if let Some(artifact) = &build.artifact {
        facts.push(("Manifest", artifact.manifest.clone()));
        facts.extend(
            artifact
                .images
                .iter()
                .map(|image| ("Image", image.reference.clone())),
        );
    }
    let mut text = page.facts(&facts);
    if !build.steps.is_empty() {
        let rows = build.steps.iter().map(|step| {
            vec![
                step.number.to_string(),
                cell(&step.state),
                page.took(step.started_at, step.finished_at),
                cut(&step.name, 100),
            ]
        });
        text.push('\n');
        let header = ["step", "state", "took", "what"];
        text.push_str(&page.table(&header, &[], rows.collect()));
    }
    text
}

/// One line of a log: the step it belongs to, and the text.
pub fn log_line(line: &LogLine) -> String {
    let step = if line.step == 0 {
        "--".to_owned()
    } else {
        format!("{:>2}", line.step)
    };
    format!("{step} | {}", printable_log(&line.text))
}

/// How a build that was watched ended well.
pub fn success(build: &Build, page: &Page) -> String {
    let summary = &build.summary;
    let took = page.took(summary.started_at, summary.finished_at);
    let manifest = build
        .artifact
        .as_ref()
        .map_or_else(dash, |artifact| cell(&artifact.manifest));
    format!(
        "Build {} of {} succeeded ({took}); its manifest is {manifest}",
        summary.id,
        short(&summary.commit)
    )
}

#[cfg(test)]
mod tests {
    use hermez_api::BuildStep;

    use super::super::tests::{at, page};
    use super::*;

    fn build() -> Build {
        Build {
            summary: BuildSummary {
                id: 4,
                workload: "hello".to_owned(),
                commit: "95f6178aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
                title: "Greet in Greek".to_owned(),
                state: BuildState::Failed,
                attempt: 1,
                requested_by: "push".to_owned(),
                created_at: at("2026-11-23T11:57:00Z"),
                started_at: Some(at("2026-11-23T11:57:01Z")),
                finished_at: Some(at("2026-11-23T11:58:30Z")),
                error: Some("step 2 ended with exit code 1".to_owned()),
                hint: Some("Read the step's log.".to_owned()),
            },
            steps: vec![BuildStep {
                number: 2,
                name: "[2/2] RUN make".to_owned(),
                state: "failed".to_owned(),
                started_at: Some(at("2026-11-23T11:57:02Z")),
                finished_at: Some(at("2026-11-23T11:57:04.5Z")),
            }],
            artifact: None,
        }
    }

    #[test]
    fn a_failed_build_says_why() {
        insta::assert_snapshot!(show(&build(), &page()));
    }

    #[test]
    fn builds_stand_in_a_table() {
        let builds = List {
            items: vec![build().summary],
            next_cursor: None,
        };
        insta::assert_snapshot!(list(&builds, &page()));
    }

    #[test]
    fn log_lines_name_their_step() {
        let line = |step, text: &str| {
            log_line(&LogLine {
                seq: 1,
                at: page().now,
                step,
                text: text.to_owned(),
            })
        };
        assert_eq!(line(0, "Fetching"), "-- | Fetching");
        assert_eq!(line(2, "cc\x07 main.c"), " 2 | cc\u{fffd} main.c");
    }
}
