//! `hermez logs`.

use std::collections::HashMap;

use hermez_api::ContainerLogLine;
use jiff::Timestamp;
use serde::Deserialize;

use super::until_interrupted;
use crate::app::App;
use crate::choose;
use crate::client::Ends;
use crate::error::CliError;
use crate::print;
use crate::views::status::{LogStyle, log_line};

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that people type"
)]
pub struct Args {
    /// Workload; may be left out where it is clear
    workload: Option<String>,
    /// Keep printing lines as they are written; new pods join by themselves
    #[arg(long, short)]
    follow: bool,
    /// Of the preview of this pull request
    #[arg(long, value_name = "NUMBER")]
    pr: Option<i64>,
    /// Only this pod
    #[arg(long, value_name = "NAME")]
    pod: Option<String>,
    /// Only this container
    #[arg(long, short, value_name = "NAME")]
    container: Option<String>,
    /// Newest lines of each container to begin with
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    tail: u32,
    /// Of the container before the last restart
    #[arg(long, short, conflicts_with = "follow")]
    previous: bool,
    /// Print the time before each line
    #[arg(long)]
    timestamps: bool,
    /// Do not print pod and container before each line
    #[arg(long)]
    no_prefix: bool,
}

#[derive(Deserialize)]
struct Lines {
    items: Vec<ContainerLogLine>,
}

/// Runs `logs`.
pub async fn run(app: &App, args: Args) -> Result<(), CliError> {
    let name = choose::workload(app, args.workload.clone()).await?;
    let path = ["workloads", name.as_str(), "log"];
    let mut query = vec![("tail_lines", args.tail.to_string())];
    query.extend(args.pr.map(|number| ("pull_request", number.to_string())));
    query.extend(args.pod.clone().map(|pod| ("pod", pod)));
    query.extend(
        args.container
            .clone()
            .map(|container| ("container", container)),
    );
    if args.previous {
        query.push(("previous", "true".to_owned()));
    }
    let style = LogStyle {
        prefix: !args.no_prefix && args.pod.is_none(),
        timestamps: args.timestamps,
    };
    let show = |line: &ContainerLogLine| {
        if app.json() {
            print::json_line(line)
        } else {
            print::line(&log_line(line, &name, style))
        }
    };
    if !args.follow {
        let answer = app.client.get(&path, &query).await?;
        let lines: Lines = answer.read()?;
        if lines.items.is_empty() && !app.json() {
            print::note("No lines: nothing runs, or it wrote nothing.");
        }
        return lines.items.iter().try_for_each(show);
    }
    query.push(("follow", "true".to_owned()));
    // A pod's own stream ends with the pod; a workload's never does.
    let ends = if args.pod.is_some() {
        Ends::WithResponse
    } else {
        Ends::WhenToldByEvent
    };
    let mut stream = app.client.stream(&path, &query, ends);
    let mut seen = Seen::default();
    let follow = async {
        while let Some(event) = stream.next().await? {
            if event.name == "problem" {
                note_problem(&event.data);
            }
            if event.name != "line" {
                continue;
            }
            let Ok(line) = serde_json::from_str::<ContainerLogLine>(&event.data) else {
                continue;
            };
            if seen.is_new(&line, stream.connections()) {
                show(&line)?;
            }
        }
        Ok(())
    };
    until_interrupted(follow).await
}

/// One container's log cannot be read; the others go on.
fn note_problem(data: &str) {
    #[derive(Deserialize)]
    struct Told {
        detail: String,
        hint: Option<String>,
    }
    if let Ok(told) = serde_json::from_str::<Told>(data) {
        let hint = told
            .hint
            .map_or_else(String::new, |hint| format!(" ({hint})"));
        print::note(&print::printable(&format!("note: {}{hint}", told.detail)));
    }
}

/// Tells lines that a new connection repeats from lines that are new: logs have times, not ids.
#[derive(Debug, Default)]
struct Seen {
    newest: HashMap<(String, String), Timestamp>,
    /// Of each container, its newest time when the present connection began.
    before: HashMap<(String, String), Timestamp>,
    connection: usize,
}

/// Containers whose times are remembered; more than this and a reconnect may repeat lines.
const CONTAINERS_MAX: usize = 10_000;

impl Seen {
    fn is_new(&mut self, line: &ContainerLogLine, connection: usize) -> bool {
        if connection != self.connection {
            self.connection = connection;
            self.before.clone_from(&self.newest);
        }
        let Some(at) = line.at else { return true };
        let key = (line.pod.clone(), line.container.clone());
        if self.before.get(&key).is_some_and(|before| at <= *before) {
            return false;
        }
        if self.newest.len() < CONTAINERS_MAX || self.newest.contains_key(&key) {
            let newest = self.newest.entry(key).or_insert(at);
            *newest = at.max(*newest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pod: &str, second: i64) -> ContainerLogLine {
        ContainerLogLine {
            pod: pod.to_owned(),
            container: "hello".to_owned(),
            at: Timestamp::from_second(second).ok(),
            text: "x".to_owned(),
        }
    }

    #[test]
    fn lines_that_a_new_connection_repeats_are_told_apart() {
        let mut seen = Seen::default();
        assert!(seen.is_new(&line("a", 1), 1));
        assert!(seen.is_new(&line("a", 2), 1));
        // Two lines of one moment are both lines.
        assert!(seen.is_new(&line("a", 2), 1));
        assert!(!seen.is_new(&line("a", 1), 2));
        assert!(!seen.is_new(&line("a", 2), 2));
        assert!(seen.is_new(&line("a", 3), 2));
        assert!(seen.is_new(&line("b", 1), 2));
        assert!(seen.is_new(
            &ContainerLogLine {
                at: None,
                ..line("a", 0)
            },
            3
        ));
    }
}
