//! What BuildKit 0.34 really says, and what could be made of it.

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    format!("2026-11-23T12:00:{text}Z").parse().unwrap()
}

/// Feeds lines of `vertex JSON`, each with the clock at the given second.
fn feed(progress: &mut Progress, clock: &str, line: &str) -> Vec<BuildEvent> {
    progress.take(line.as_bytes(), at(clock)).unwrap()
}

fn vertex(digest: &str, name: &str, started: &str, completed: &str, more: &str) -> String {
    let completed = if completed.is_empty() {
        String::new()
    } else {
        format!(r#","completed":"{}""#, at(completed))
    };
    format!(
        r#"{{"vertexes":[{{"digest":"{digest}","name":"{name}","started":"{}"{completed}{more}}}]}}"#,
        at(started)
    )
}

fn log(digest: &str, text: &str) -> String {
    format!(
        r#"{{"logs":[{{"vertex":"{digest}","stream":1,"data":"{}","timestamp":"{}"}}]}}"#,
        STANDARD.encode(text),
        at("05")
    )
}

/// `start 1`, `end 1 Succeeded`, `line 1 text`.
fn told(events: &[BuildEvent]) -> Vec<String> {
    events
        .iter()
        .map(|event| match event {
            BuildEvent::StepStarted { step, .. } => format!("start {step}"),
            BuildEvent::StepFinished { step, state, .. } => format!("end {step} {state:?}"),
            BuildEvent::Line { step, text, .. } => format!("line {step} {text}"),
        })
        .collect()
}

#[test]
fn a_step_that_asks_its_cache_first_ends_once() {
    let mut progress = Progress::default();
    let first = feed(
        &mut progress,
        "01",
        &vertex("a", "load", "01", "01.000020", ""),
    );
    assert_eq!(told(&first), ["start 1"]);
    let again = feed(
        &mut progress,
        "01.00003",
        &vertex("a", "load", "01.00003", "", ""),
    );
    assert!(again.is_empty());
    assert!(
        feed(
            &mut progress,
            "02",
            &vertex("a", "load", "01.00003", "02", "")
        )
        .is_empty()
    );
    assert!(progress.idle(at("02.05")).is_empty());
    assert_eq!(told(&progress.idle(at("02.2"))), ["end 1 Succeeded"]);
    assert!(progress.idle(at("09")).is_empty());
}

#[test]
fn a_step_ends_when_what_stands_on_it_begins() {
    let mut progress = Progress::default();
    feed(&mut progress, "01", &vertex("a", "load", "01", "01", ""));
    let next = vertex("b", "run", "01", "", r#","inputs":["a","zzz"]"#);
    assert_eq!(
        told(&feed(&mut progress, "01", &next)),
        ["start 2", "end 1 Succeeded"]
    );
    assert_eq!(progress.running(), Some("run"));
}

#[test]
fn vertices_that_have_not_begun_are_no_steps() {
    let mut progress = Progress::default();
    let waiting = r#"{"vertexes":[{"digest":"a","name":"[3/3] RUN x"}]}"#;
    assert!(feed(&mut progress, "01", waiting).is_empty());
    assert_eq!(progress.running(), None);
}

#[test]
fn output_becomes_lines_of_its_step() {
    let mut progress = Progress::default();
    feed(&mut progress, "01", &vertex("a", "run", "01", "", ""));
    assert_eq!(
        told(&feed(&mut progress, "01", &log("a", "one\nt"))),
        ["line 1 one"]
    );
    assert_eq!(told(&feed(&mut progress, "01", &log("a", "wo"))), [""; 0]);
    let end = feed(
        &mut progress,
        "02",
        &vertex("a", "run", "01", "02", r#","cached":true"#),
    );
    assert_eq!(told(&end), ["line 1 two", "end 1 Cached"]);
    let unknown = feed(&mut progress, "02", &log("zzz", "lost\n"));
    assert!(unknown.is_empty());
}

#[test]
fn a_failed_step_is_kept_with_its_last_lines() {
    let mut progress = Progress::default();
    feed(
        &mut progress,
        "01",
        &vertex("a", "[2/2] RUN x", "01", "", ""),
    );
    feed(&mut progress, "01", &vertex("b", "other", "01", "", ""));
    let lines: Vec<_> = (0..50).map(|n| format!("line {n}\n")).collect();
    let text = lines.concat();
    feed(&mut progress, "01", &log("a", &text));
    let canceled = r#","error":"context canceled: context canceled""#;
    let other = feed(
        &mut progress,
        "02",
        &vertex("b", "other", "01", "02", canceled),
    );
    assert_eq!(told(&other), ["end 2 Canceled"]);
    let error = r#","error":"process \"x\" did not complete successfully: exit code: 3""#;
    let end = feed(
        &mut progress,
        "02",
        &vertex("a", "[2/2] RUN x", "01", "02", error),
    );
    assert_eq!(told(&end), ["end 1 Failed"]);
    let failed = progress.failed().unwrap();
    assert_eq!(failed.name, "[2/2] RUN x");
    assert!(failed.error.ends_with("exit code: 3"));
    assert_eq!(failed.last_lines.len(), 20);
    assert_eq!(failed.last_lines[19], "line 49");
}

#[test]
fn what_still_runs_at_the_end_is_canceled() {
    let mut progress = Progress::default();
    feed(&mut progress, "01", &vertex("a", "done", "01", "01", ""));
    feed(&mut progress, "01", &vertex("b", "run", "01", "", ""));
    feed(&mut progress, "01", &log("b", "half"));
    let mut seen = told(&progress.finish(at("03")));
    seen.sort();
    assert_eq!(seen, ["end 1 Succeeded", "end 2 Canceled", "line 2 half"]);
    assert!(progress.finish(at("03")).is_empty());
}

#[test]
fn a_log_without_end_is_cut_with_a_note() {
    let mut progress = Progress::default();
    feed(&mut progress, "01", &vertex("a", "run", "01", "", ""));
    let piece = log("a", &format!("{}\n", "x".repeat(8000)).repeat(100));
    let mut bytes = 0;
    let mut notes = 0;
    for _ in 0..30 {
        for event in feed(&mut progress, "01", &piece) {
            if let BuildEvent::Line { step, text, .. } = event {
                bytes += text.len();
                notes += usize::from(step == 0);
            }
        }
    }
    assert!(bytes <= MAX_LOG_BYTES + 100, "{bytes}");
    assert_eq!(notes, 1);
    let last = log("a", "the end\n");
    assert!(feed(&mut progress, "01", &last).is_empty());
    progress.failed = Some(0);
    assert_eq!(
        progress.failed().unwrap().last_lines.last().unwrap(),
        "the end"
    );
}

#[test]
fn secrets_show_nowhere() {
    let mut progress = Progress::new(vec![SecretString::from("hunter2")]);
    let mut events = feed(
        &mut progress,
        "01",
        &vertex("a", "RUN x hunter2", "01", "", ""),
    );
    events.extend(feed(&mut progress, "01", &log("a", "pw hunter2\n")));
    let error = r#","error":"process \"x hunter2\" did not complete: exit code: 1""#;
    events.extend(feed(
        &mut progress,
        "01",
        &vertex("a", "x", "01", "02", error),
    ));
    let all = format!("{events:?} {:?}", progress.failed());
    assert!(!all.contains("hunter2"), "{all}");
}

#[test]
fn other_lines_are_none_of_ours() {
    let mut progress = Progress::default();
    for line in [
        "",
        "error: failed to solve: x",
        "Dockerfile:2",
        "[]",
        "5",
        "{\"vertexes\":5}",
    ] {
        assert!(progress.take(line.as_bytes(), at("01")).is_none(), "{line}");
    }
    assert_eq!(progress.take(b"{}", at("01")), Some(vec![]));
}

proptest! {
    #[test]
    fn every_step_starts_before_it_ends_and_ends_before_the_end(
        moves in proptest::collection::vec((0..4_u8, 0..4_u8), 0..40)
    ) {
        let mut progress = Progress::default();
        let mut events = Vec::new();
        for (digest, kind) in moves {
            let name = format!("d{digest}");
            let line = match kind {
                0 => vertex(&name, "x", "01", "", ""),
                1 => vertex(&name, "x", "01", "02", ""),
                2 => vertex(&name, "x", "01", "02", r#","error":"bad""#),
                _ => log(&name, "text\nmore"),
            };
            events.extend(feed(&mut progress, "02", &line));
        }
        events.extend(progress.finish(at("03")));
        let mut open = std::collections::HashMap::new();
        for event in events {
            match event {
                BuildEvent::StepStarted { step, .. } => prop_assert!(open.insert(step, true).is_none()),
                BuildEvent::StepFinished { step, .. } => {
                    prop_assert!(open.insert(step, false).is_some());
                }
                BuildEvent::Line { step, .. } => prop_assert!(open.contains_key(&step)),
            }
        }
    }
}
