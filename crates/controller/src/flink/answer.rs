//! Flink's answers, read. Pure; the shapes are those of Flink 1.20's published REST contract.
//!
//! Nothing in them is trusted: what is missing or of another shape is as if not reported, and texts
//! are cut.

use hermez_kinds::streamingjob::{CheckpointStatus, RestoredStatus};
use jiff::Timestamp;
use serde_json::Value;

use super::{Job, Operation};

/// Longest text that is kept, in characters.
const LONGEST: usize = 500;
/// Metrics of one operator that are asked for.
const METRICS: usize = 20;

/// Whether a job in this state has come to its end.
pub(crate) fn is_over(state: &str) -> bool {
    matches!(state, "FINISHED" | "CANCELED" | "FAILED")
}

/// The first line of a text, cut.
pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or_default().chars().take(LONGEST).collect()
}

/// What went wrong in a stack trace: the innermost cause that is told, else its first line.
fn cause(trace: &str) -> String {
    let mut causes = trace
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Caused by: "));
    causes
        .next_back()
        .map_or_else(|| first_line(trace), first_line)
}

/// What went wrong in the last lines of a log: the last cause that they tell, else the last line.
pub(super) fn last_words(log: &str) -> String {
    let lines = || log.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut causes = lines().filter_map(|line| line.strip_prefix("Caused by: "));
    let words = causes.next_back().or_else(|| lines().next_back());
    words.map(first_line).unwrap_or_default()
}

/// What Flink says in an answer that is an error.
pub(super) fn errors(answer: &Value) -> Option<String> {
    let errors = answer["errors"].as_array()?;
    let mut said = errors.iter().filter_map(Value::as_str);
    let text = said.next().unwrap_or_default();
    // The second one is the server's stack trace; its cause says more than "Internal server error.".
    let more = said
        .next()
        .map(|trace| cause(&trace.replace("<Exception on server side:", "")));
    Some(
        more.filter(|more| !more.is_empty())
            .unwrap_or_else(|| first_line(text)),
    )
}

fn time(value: &Value) -> Option<Timestamp> {
    let ms = value.as_i64().filter(|ms| *ms > 0)?;
    Timestamp::from_millisecond(ms).ok()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_default()
        .chars()
        .take(LONGEST)
        .collect()
}

fn path(value: &Value) -> Option<String> {
    // "<checkpoint-not-externally-addressable>" stands where there is none.
    let path = value.as_str()?;
    let is_place = path.contains(":/") && path.len() <= 1024 && !path.contains(char::is_whitespace);
    is_place.then(|| path.to_owned())
}

fn whole(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

/// A job's details (`/jobs/:jobid`).
pub(super) fn job(details: &Value) -> Job {
    let vertices = details["vertices"].as_array();
    let parallelism = vertices
        .into_iter()
        .flatten()
        .map(|vertex| whole(&vertex["parallelism"]));
    let counts: Vec<(&str, i64)> = details["status-counts"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(state, count)| (state.as_str(), whole(count)))
        .collect();
    let of = |wanted: fn(&str) -> bool| -> i64 {
        counts
            .iter()
            .filter(|(state, _)| wanted(state))
            .map(|(_, count)| count)
            .sum()
    };
    let (run, all) = (
        of(|state| matches!(state, "RUNNING" | "FINISHED")),
        of(|_| true),
    );
    let state = text(&details["state"]);
    Job {
        name: text(&details["name"]),
        runs: state == "RUNNING" && all > 0 && run == all,
        state,
        started: time(&details["start-time"]),
        parallelism: parallelism
            .max()
            .and_then(|most| i32::try_from(most).ok())
            .unwrap_or(0),
        ..Job::default()
    }
}

/// A job's checkpoints (`/jobs/:jobid/checkpoints`).
pub(super) fn checkpoints(answer: &Value, job: &mut Job) {
    let latest = &answer["latest"];
    let checkpoint = |of: &Value| {
        of.is_object().then(|| CheckpointStatus {
            id: whole(&of["id"]),
            time: time(&of["trigger_timestamp"]),
            duration_ms: whole(&of["end_to_end_duration"]),
            size_bytes: whole(&of["state_size"]),
            path: path(&of["external_path"]),
        })
    };
    job.checkpoint = checkpoint(&latest["completed"]);
    job.savepoint = checkpoint(&latest["savepoint"]);
    let restored = &latest["restored"];
    job.restored = restored.is_object().then(|| {
        let path = path(&restored["external_path"]);
        // Flink calls everything a savepoint that a start was told to begin from.
        let is_checkpoint = path.as_deref().is_some_and(is_checkpoint);
        RestoredStatus {
            id: whole(&restored["id"]),
            time: time(&restored["restore_timestamp"]),
            savepoint: restored["is_savepoint"] == true && !is_checkpoint,
            path,
        }
    });
}

/// Whether a place is a checkpoint's: `…/chk-<number>`, as Flink names its folders.
fn is_checkpoint(path: &str) -> bool {
    let folder = path.trim_end_matches('/').rsplit('/').next();
    folder
        .and_then(|folder| folder.strip_prefix("chk-"))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Why a job failed (`/jobs/:jobid/exceptions`).
pub(super) fn failure(answer: &Value) -> Option<String> {
    let newest = answer.pointer("/exceptionHistory/entries/0/stacktrace");
    let trace = newest
        .or(answer.get("root-exception"))
        .and_then(Value::as_str)?;
    let cause = cause(trace);
    (!cause.is_empty()).then_some(cause)
}

/// How far an operation is (`/jobs/:jobid/savepoints/:triggerid`).
pub(super) fn operation(answer: &Value) -> Option<Operation> {
    match answer.pointer("/status/id").and_then(Value::as_str)? {
        "IN_PROGRESS" => Some(Operation::InProgress),
        "COMPLETED" => {
            let operation = &answer["operation"];
            if let Some(place) = path(&operation["location"]) {
                return Some(Operation::Completed(place));
            }
            let failure = &operation["failure-cause"];
            let trace = failure["stack-trace"]
                .as_str()
                .or(failure["class"].as_str());
            let why = trace.map_or_else(|| "Flink does not say why".to_owned(), cause);
            Some(Operation::Failed(why))
        }
        _ => None,
    }
}

/// The ids of a job's sources, in its details.
pub(super) fn sources(details: &Value) -> Vec<String> {
    let vertices = details["vertices"].as_array().into_iter().flatten();
    let sources = vertices.filter(|vertex| {
        let name = vertex["name"].as_str().unwrap_or_default();
        name.starts_with("Source:")
    });
    let ids = sources.filter_map(|vertex| vertex["id"].as_str());
    // They become part of a path.
    ids.filter(|id| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_hexdigit()))
        .map(str::to_owned)
        .collect()
}

/// A number among metrics (`…/metrics?get=…`).
pub(super) fn metric(answer: &Value, name: &str) -> Option<i64> {
    let mut metrics = answer.as_array()?.iter();
    let found = metrics.find(|metric| metric["id"] == name)?;
    found["value"].as_str()?.parse().ok()
}

/// The metrics of a source that tell how far it is behind, among all of its metrics.
pub(super) fn lag_metrics(answer: &Value) -> Vec<String> {
    let ids = answer.as_array().into_iter().flatten();
    let ids = ids.filter_map(|metric| metric["id"].as_str());
    ids.filter(|id| {
        RECORDS
            .iter()
            .chain(&MILLISECONDS)
            .any(|known| is_metric(id, known))
    })
    // They become part of a query.
    .filter(|id| {
        id.len() <= 200
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    })
    .take(METRICS)
    .map(str::to_owned)
    .collect()
}

/// Metrics of records that wait: of the sources in general, of the Kafka consumer.
const RECORDS: [&str; 2] = ["pendingRecords", "records-lag-max"];
/// Metrics of the time between an event and its emission.
const MILLISECONDS: [&str; 2] = ["currentEmitEventTimeLag", "currentFetchEventTimeLag"];

fn is_metric(id: &str, name: &str) -> bool {
    id == name
        || id
            .strip_suffix(name)
            .is_some_and(|rest| rest.ends_with(['.', '_']))
}

/// How far a job is behind, from its sources' metrics: records when any source tells them, else
/// milliseconds.
pub(super) fn lag(answers: &[Value]) -> Option<String> {
    let metrics = || answers.iter().filter_map(Value::as_array).flatten();
    let figures = |names: &[&str], aggregate: &str| -> Vec<f64> {
        let named = metrics().filter(|metric| {
            let id = metric["id"].as_str().unwrap_or_default();
            names.iter().any(|name| is_metric(id, name))
        });
        let figures = named.filter_map(|metric| metric[aggregate].as_f64());
        figures
            .filter(|figure| figure.is_finite() && *figure >= 0.0)
            .collect()
    };
    for name in RECORDS {
        let figures = figures(&[name], "sum");
        if !figures.is_empty() {
            return Some(format!("{:.0} records", figures.iter().sum::<f64>()));
        }
    }
    let late = figures(&MILLISECONDS, "max").into_iter().reduce(f64::max)?;
    Some(format!("{late:.0} ms"))
}

/// Back pressure (`…/backpressure`), as a word whose order is that of the levels.
pub(super) fn backpressure(answer: &Value) -> Option<String> {
    let level = answer["backpressureLevel"]
        .as_str()
        .or(answer["backpressure-level"].as_str())?;
    let rank = match level {
        "ok" => "0ok",
        "low" => "1low",
        "high" => "2high",
        _ => return None,
    };
    Some(rank.to_owned())
}

/// A level's own name.
pub(super) fn level_name(ranked: &str) -> String {
    ranked
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_checkpoint_that_a_start_began_from_is_no_savepoint() {
        for (place, expect) in [
            ("file:/state/checkpoints/ab/chk-9", false),
            ("file:/state/checkpoints/ab/chk-9/", false),
            ("file:/state/savepoints/savepoint-b597dd-bee8c38121be", true),
            ("s3://state/chk-", true),
        ] {
            let mut job = Job::default();
            let answer = json!({"latest": {"restored": {"id": 9, "is_savepoint": true, "external_path": place}}});
            checkpoints(&answer, &mut job);
            assert_eq!(job.restored.expect("restored").savepoint, expect, "{place}");
        }
    }
}
