use hermez_api::Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

const WEEK: [Weekday; 7] = [Mon, Tue, Wed, Thu, Fri, Sat, Sun];

fn mk(days: &[Weekday], from: &str, to: &str, zone: &str) -> DeployWindows {
    DeployWindows {
        time_zone: zone.to_owned(),
        windows: vec![DeployWindow {
            days: days.to_vec(),
            from: from.to_owned(),
            to: to.to_owned(),
        }],
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn opens(windows: &DeployWindows, now: &str) -> String {
    let read = Windows::read(windows).expect("windows");
    read.opens(at(now)).expect("it opens").to_string()
}

#[test]
fn it_opens_on_its_days_by_its_clocks() {
    let office = mk(
        &[Mon, Tue, Wed, Thu, Fri],
        "09:00",
        "17:00",
        "Europe/Berlin",
    );
    // Friday evening: the next is Monday.
    assert_eq!(
        opens(&office, "2026-11-27T17:00:00Z"),
        "2026-11-30T08:00:00Z"
    );
    assert_eq!(
        opens(&office, "2026-11-27T15:59:59Z"),
        "2026-11-27T15:59:59Z"
    );
    assert_eq!(
        opens(&office, "2026-11-27T16:00:00Z"),
        "2026-11-30T08:00:00Z"
    );
    // Summer time.
    assert_eq!(
        opens(&office, "2026-07-01T00:00:00Z"),
        "2026-07-01T07:00:00Z"
    );
}

#[test]
fn it_may_reach_into_the_next_day() {
    let night = mk(&[Fri], "22:00", "02:00", "UTC");
    assert_eq!(
        opens(&night, "2026-11-28T01:59:00Z"),
        "2026-11-28T01:59:00Z"
    );
    assert_eq!(
        opens(&night, "2026-11-28T02:00:00Z"),
        "2026-12-04T22:00:00Z"
    );
    let whole = mk(&WEEK, "00:00", "24:00", "UTC");
    assert_eq!(
        opens(&whole, "2026-11-28T23:59:59Z"),
        "2026-11-28T23:59:59Z"
    );
}

#[test]
fn clocks_that_go_forward_leave_nothing_open_that_is_not_there() {
    // In Berlin, 2026-03-29 has no time from 02:00 to 03:00.
    let early = mk(&WEEK, "02:30", "05:00", "Europe/Berlin");
    assert_eq!(
        opens(&early, "2026-03-29T00:00:00Z"),
        "2026-03-29T01:00:00Z"
    );
    let within = mk(&WEEK, "02:15", "02:45", "Europe/Berlin");
    assert_eq!(
        opens(&within, "2026-03-29T00:00:00Z"),
        "2026-03-30T00:15:00Z"
    );
    // Apia had no 30 December 2011 at all, a Friday.
    let fridays = mk(&[Fri], "09:00", "17:00", "Pacific/Apia");
    assert_eq!(
        opens(&fridays, "2011-12-29T00:00:00Z"),
        "2012-01-05T19:00:00Z"
    );
}

#[test]
fn clocks_that_go_back_open_it_once() {
    // In Berlin, 2026-10-25 has the time from 02:00 to 03:00 twice.
    let within = mk(&WEEK, "02:15", "02:45", "Europe/Berlin");
    let read = Windows::read(&within).expect("windows");
    let open = |text: &str| read.opens(at(text)) == Some(at(text));
    assert!(!open("2026-10-25T00:14:59Z"));
    for now in ["00:15:00", "00:50:00", "01:15:00", "01:44:59"] {
        assert!(open(&format!("2026-10-25T{now}Z")), "{now}");
    }
    assert!(!open("2026-10-25T01:45:00Z"));
}

#[test]
fn what_never_opens_is_refused() {
    let now = at("2026-11-27T15:00:00Z");
    let refused = |windows: &DeployWindows| {
        let error = Windows::check(windows, &[], now).expect_err("it never opens");
        assert!(!error.hint().is_empty());
        error.to_string()
    };
    let zone = "Europe/Berlin";
    assert!(refused(&mk(&[Mon], "09:00", "09:00", zone)).contains("never opens"));
    assert!(refused(&mk(&[], "09:00", "10:00", zone)).contains("names no day"));
    for time in [
        "25:00", "9:00", "09:60", "24:00", "", "noon", "-1:00", "09:00:00",
    ] {
        let said = refused(&mk(&[Mon], time, "10:00", zone));
        assert!(said.contains("for a time of the day"), "{time}: {said}");
    }
    let meant = Windows::check(&mk(&[Mon], "09:00", "10:00", "Europe/Belrin"), &[], now);
    assert_eq!(
        meant.expect_err("no such zone").hint(),
        "did you mean Europe/Berlin?"
    );
    let none = DeployWindows {
        windows: Vec::new(),
        ..mk(&[Mon], "09:00", "10:00", zone)
    };
    assert!(refused(&none).contains("has 0 windows"));
    let others = [(
        "project demo".to_owned(),
        mk(&[Tue], "09:00", "10:00", "UTC"),
    )];
    let apart = Windows::check(&mk(&[Mon], "09:00", "10:00", zone), &others, now);
    assert_eq!(
        apart.expect_err("they never meet").to_string(),
        "is never open when the deploy window of project demo (Tue 09:00-10:00 UTC) is"
    );
    let meet = Windows::check(&mk(&[Mon, Tue], "09:30", "12:00", "UTC"), &others, now);
    assert!(meet.is_ok());
}

#[test]
fn windows_are_said_in_words() {
    assert_eq!(
        text(&mk(&[Mon, Tue, Wed, Fri], "09:00", "17:00", "UTC")),
        "Mon-Wed, Fri 09:00-17:00 UTC"
    );
    assert_eq!(
        text(&mk(&WEEK, "00:00", "24:00", "UTC")),
        "every day 00:00-24:00 UTC"
    );
}

fn any_windows() -> impl Strategy<Value = DeployWindows> {
    let zone = prop::sample::select(vec![
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Asia/Kathmandu",
        "Africa/Casablanca",
        "Antarctica/Troll",
        "Asia/Beirut",
    ]);
    let time = |most: u16| {
        (0..=most / 15).prop_map(|it| format!("{:02}:{:02}", it * 15 / 60, it * 15 % 60))
    };
    let days = prop::sample::subsequence(WEEK.to_vec(), 1..=7);
    let window = (days, time(DAY - 15), time(DAY))
        .prop_filter("it opens", |(_, from, to)| from != to)
        .prop_map(|(days, from, to)| DeployWindow { days, from, to });
    (zone, prop::collection::vec(window, 1..4)).prop_map(|(zone, windows)| DeployWindows {
        time_zone: zone.to_owned(),
        windows,
    })
}

proptest! {
    /// The opening that is told is the first: closed before, open then, the same until then.
    #[test]
    fn the_next_opening_is_the_first(
        windows in any_windows(), second in 0_i64..4_000_000_000, part in 0.0_f64..1.0,
    ) {
        let read = Windows::read(&windows).expect("windows");
        let now = Timestamp::from_second(second).expect("a time");
        let opens = read.opens(now).expect("it opens");
        prop_assert!(opens >= now);
        prop_assert_eq!(read.opens(opens), Some(opens), "it is open when it opens");
        if opens > now {
            #[expect(clippy::cast_possible_truncation, reason = "a part of a span")]
            let step = (opens.duration_since(now).as_secs() as f64 * part) as i64;
            let between = now + SignedDuration::from_secs(step);
            if between < opens {
                prop_assert_eq!(read.opens(between), Some(opens), "at {}", between);
            }
        }
    }

    /// It is open whenever the clock on the wall shows one of its times.
    #[test]
    fn it_is_open_when_the_clock_says_so(
        windows in any_windows(), second in 0_i64..4_000_000_000,
    ) {
        let read = Windows::read(&windows).expect("windows");
        let now = Timestamp::from_second(second).expect("a time");
        let shown = read.zone.to_datetime(now);
        let minute = u16::try_from(shown.hour()).expect("an hour") * 60
            + u16::try_from(shown.minute()).expect("a minute");
        let day = usize::try_from(shown.date().weekday().to_monday_zero_offset()).expect("a day");
        let says = read.spans.iter().any(|span| {
            if span.from < span.to {
                span.days[day] && (span.from..span.to).contains(&minute)
            } else {
                span.days[day] && minute >= span.from
            }
        });
        if says {
            prop_assert_eq!(read.opens(now), Some(now));
        }
    }
}
