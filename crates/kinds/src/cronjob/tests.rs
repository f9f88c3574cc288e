//! Schedules, right and wrong, and what a cron job becomes.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::schedule::time_zone;
use super::*;
use crate::config::parse;
use crate::{Resource, RuntimeProfile};

/// What is wrong with a schedule, on one line.
fn wrong(text: &str) -> String {
    let error = Schedule::parse(text).expect_err(text);
    let hint = error.hint.as_ref().map(|hint| format!(" | {hint}"));
    format!("{error}{}", hint.unwrap_or_default())
}

fn zone(name: &str) -> TimeZone {
    time_zone(name).expect("a time zone")
}

/// The first times after a moment, as the clocks of the zone show them.
fn times(schedule: &str, after: &str, name: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(schedule).expect("a schedule");
    let after: Timestamp = after.parse().expect("a time");
    let times = schedule.times_after(after, &zone(name), count).into_iter();
    times
        .map(|time| time.to_zoned(zone(name)).strftime("%F %R %Z").to_string())
        .collect()
}

#[test]
fn an_error_names_the_field_the_column_and_what_was_expected() {
    let cases = [
        (
            "",
            "column 1: found nothing, expected five fields | for example \"0 3 * * *\": every day at 3:00",
        ),
        (
            "0 25 * * *",
            "hour, column 3: found \"25\", expected 0 to 23",
        ),
        (
            "60 * * * *",
            "minute, column 1: found \"60\", expected 0 to 59",
        ),
        (
            "* * 0 * *",
            "day of the month, column 5: found \"0\", expected 1 to 31",
        ),
        (
            "* *  * 13 *",
            "month, column 8: found \"13\", expected 1 to 12 or jan to dec",
        ),
        (
            "* * * Jann *",
            "month, column 7: found \"Jann\", expected 1 to 12 or jan to dec | did you mean jan?",
        ),
        (
            "* * * * 7",
            "day of the week, column 9: found \"7\", expected 0 to 6 or sun to sat | Sunday is 0",
        ),
        (
            "1,2,x * * * *",
            "minute, column 5: found \"x\", expected 0 to 59",
        ),
        (
            "1,,2 * * * *",
            "minute, column 3: found nothing, expected 0 to 59",
        ),
        (
            "5-1 * * * *",
            "minute, column 1: the range \"5-1\" goes backwards | write 5-59,0-1 for what goes over the end",
        ),
        (
            "1-2-3 * * * *",
            "minute, column 4: found a second \"-\" | write one range, for example 1-5, or several with commas",
        ),
        (
            "*/0 * * * *",
            "minute, column 3: found \"0\" as the step, expected at least 1 | for example */5",
        ),
        (
            "*/ * * * *",
            "minute, column 3: found nothing as the step, expected at least 1 | for example */5",
        ),
        (
            "*/5/5 * * * *",
            "minute, column 4: found a second \"/\" | write one step, for example */5",
        ),
        (
            "0 0 L * *",
            "day of the month, column 5: found \"L\", expected 1 to 31 | Kubernetes knows no L, W or #",
        ),
        (
            "0 0 * *",
            "day of the week, column 8: found 4 fields, expected five: minute, hour, day of the month, month, day of the week | write * for what may be anything",
        ),
        (
            "0 0 3 * * *",
            "column 11: found 6 fields, expected five: minute, hour, day of the month, month, day of the week | Kubernetes knows no seconds and no years: leave that field out",
        ),
        (
            "@hourli",
            "column 1: found \"@hourli\", expected one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly | did you mean \"@hourly\"?",
        ),
        (
            "@every 5m",
            "column 1: found \"@every 5m\", which has no fixed times | a cron job runs by the clock: for example \"*/5 * * * *\" is every five minutes",
        ),
        (
            "TZ=UTC 0 0 * * *",
            "column 1: a time zone does not belong in the schedule | write it as timezone: Area/City",
        ),
        (
            "99999999999 * * * *",
            "minute, column 1: found \"99999999999\", expected 0 to 59",
        ),
        (
            "é * * * *",
            "minute, column 1: found \"é\", expected 0 to 59",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(wrong(text), expected, "{text:?}");
    }
}

#[test]
fn a_schedule_that_never_fires_is_refused() {
    assert_eq!(
        wrong("0 0 30 2 *"),
        "day of the month, column 5: it never fires: no month of \"2\" has a day \"30\" | write a day that one of the months has"
    );
    for never in ["0 0 31 4 *", "0 0 31 2,4,6,9,11 *", "0 0 30,31 feb ?"] {
        assert!(wrong(never).contains("never fires"), "{never}");
    }
    // A day of the week is an alternative to the day of the month, and leap years have a 29th.
    for fires in ["0 0 30 2 1", "0 0 29 2 *", "0 0 31 2,3 *", "0 0 30 2 */2"] {
        let schedule = Schedule::parse(fires).expect(fires);
        let next = schedule.next_after(Timestamp::UNIX_EPOCH, &TimeZone::UTC);
        assert!(next.is_some(), "{fires}");
    }
}

#[test]
fn macros_and_names_are_read() {
    for (text, same) in [
        ("@hourly", "0 * * * *"),
        ("@weekly", "0 0 * * 0"),
        (" @yearly ", "0 0 1 1 *"),
        ("0 0 * JAN-mar Mon,WED", "0 0 * 1-3 1,3"),
        ("5/20 * * * *", "5,25,45 * * * *"),
        ("10-30/10 * * * *", "10,20,30 * * * *"),
    ] {
        assert_eq!(Schedule::parse(text), Schedule::parse(same), "{text}");
    }
}

#[test]
fn the_times_are_those_of_another_reader_of_cron() {
    use chrono::{DateTime, Utc};

    let schedules = [
        "* * * * *",
        "*/7 * * * *",
        "30 4 * * 1-5",
        "0 0 1 1 *",
        "15,45 8-18/2 * * *",
        "0 12 13 * 5",
        "0 0 29 2 *",
        "59 23 31 12 *",
        "5 4 1-7 */3 *",
    ];
    for text in schedules {
        let ours = Schedule::parse(text).expect(text);
        let theirs: croner::Cron = text.parse().expect(text);
        for second in [0_i64, 951_782_399, 1_700_000_001, 1_798_761_599] {
            let (mut mine, mut other) = (
                Timestamp::from_second(second).expect("a time"),
                DateTime::<Utc>::from_timestamp(second, 0).expect("a time"),
            );
            for _ in 0..20 {
                let Some(next) = ours.next_after(mine, &TimeZone::UTC) else {
                    // Kubernetes gives up after five years.
                    break;
                };
                mine = next;
                other = theirs.find_next_occurrence(&other, false).expect(text);
                assert_eq!(mine.as_second(), other.timestamp(), "{text} after {second}");
            }
        }
    }
}

#[test]
fn clocks_that_change_do_what_kubernetes_does() {
    // The hour from 2 to 3 is left out on 2026-03-08: the run of that day is left out.
    assert_eq!(
        times("30 2 * * *", "2026-03-07T12:00:00Z", "America/New_York", 2),
        ["2026-03-09 02:30 EDT", "2026-03-10 02:30 EDT"]
    );
    // The hour from 1 to 2 comes twice on 2026-11-01: so does the run.
    assert_eq!(
        times("30 1 * * *", "2026-10-31T12:00:00Z", "America/New_York", 3),
        [
            "2026-11-01 01:30 EDT",
            "2026-11-01 01:30 EST",
            "2026-11-02 01:30 EST"
        ]
    );
    assert_eq!(
        times("0 9 * * *", "2026-06-01T00:00:00Z", "Asia/Kathmandu", 1),
        ["2026-06-01 09:00 +0545"]
    );
}

#[test]
fn time_zones_are_known_by_name() {
    let hint = |name: &str| time_zone(name).expect_err(name);
    assert!(time_zone("America/Los_Angeles").is_ok());
    assert!(time_zone("Etc/UTC").is_ok());
    assert_eq!(
        hint("america/los_angeles").as_deref(),
        Some("America/Los_Angeles")
    );
    assert_eq!(hint("Berlin").as_deref(), Some("Europe/Berlin"));
    assert_eq!(hint("Europe/Berlni").as_deref(), Some("Europe/Berlin"));
    assert_eq!(hint("¿"), None);
}

const FILE: &str = include_str!("../../../../examples/cronjob/cronjob.yaml");

fn translated(profile: &RuntimeProfile) -> Vec<kube::api::DynamicObject> {
    let config = parse("cronjob.yaml", FILE.as_bytes()).expect("valid");
    config.resource.translate(profile).expect("translated")
}

#[test]
fn the_example_translates_as_reviewed() {
    insta::assert_yaml_snapshot!("plain", translated(&RuntimeProfile::plain()));
    insta::assert_yaml_snapshot!("pinterest", translated(&RuntimeProfile::pinterest()));
}

#[test]
fn what_it_leaves_out_is_kubernetes_own_except_the_time_zone() {
    let file = FILE
        .lines()
        .take_while(|line| !line.starts_with("  timezone"));
    let file: Vec<&str> = file.collect();
    let file = format!(
        "{}\n  template:\n    spec:\n      containers:\n        - name: a\n          image: b\n",
        file.join("\n")
    );
    let config = parse("cronjob.yaml", file.as_bytes()).expect("valid");
    let objects = config
        .resource
        .translate(&RuntimeProfile::plain())
        .expect("translated");
    assert_eq!(objects.len(), 1, "no configs, no ConfigMap");
    let spec = &objects[0].data["spec"];
    assert_eq!(spec["timeZone"], "Etc/UTC");
    assert_eq!(spec["suspend"], false);
    let job = &spec["jobTemplate"]["spec"];
    assert!(
        job.get("backoffLimit").is_none() && job.get("completionMode").is_none(),
        "{job}"
    );
    assert_eq!(job["template"]["spec"]["restartPolicy"], "Never");
}

/// What the config parser says of the example with one line changed, with places.
fn refused(line: &str, instead: &str) -> Vec<String> {
    assert!(FILE.contains(line), "{line}");
    let file = FILE.replace(line, instead);
    let error = parse("cronjob.yaml", file.as_bytes()).expect_err("refused");
    let place = |place: hermez_api::Place| {
        let at = (place.line.unwrap_or(0), place.column.unwrap_or(0));
        let field = place.field.unwrap_or_default();
        format!("{}:{} {field}: {}", at.0, at.1, place.message)
    };
    error.places().into_iter().map(place).collect()
}

#[test]
fn the_config_parser_names_the_place() {
    assert_eq!(
        refused("schedule: \"*/5 * * * *\"", "schedule: \"*/5 * * 13 *\""),
        ["7:3 spec.schedule: month, column 9: found \"13\", expected 1 to 12 or jan to dec"]
    );
    // The rule of the definition says less, and is not said beside it.
    assert_eq!(
        refused("schedule: \"*/5 * * * *\"", "schedule: \"5 4 3\""),
        [
            "7:3 spec.schedule: month, column 6: found 3 fields, expected five: minute, hour, day of the month, month, day of the week"
        ]
    );
    assert_eq!(
        refused(
            "timezone: America/Los_Angeles",
            "timezone: America/Los_Angles"
        ),
        ["8:3 spec.timezone: there is no time zone \"America/Los_Angles\""]
    );
    assert_eq!(
        refused("concurrencypolicy: Forbid", "concurrencypolicy: forbid"),
        ["9:22 spec.concurrencypolicy: found \"forbid\", expected one of Allow, Forbid, Replace"]
    );
    assert_eq!(
        refused("concurrencypolicy: Forbid", "completionmode: Indexed"),
        ["6:1 spec: completionmode Indexed needs a number of pods"]
    );
}

#[test]
fn a_manifest_is_read_as_it_was_written() {
    let config = parse("cronjob.yaml", FILE.as_bytes()).expect("valid");
    let again = crate::Config::from_manifest(config.to_manifest_yaml().as_bytes());
    assert_eq!(again.expect("valid").resource, config.resource);
    let Resource::CronJob(job) = config.resource else {
        panic!("it is a cron job")
    };
    assert_eq!(job.spec.concurrencypolicy, ConcurrencyPolicy::Forbid);
}
