//! How answers look to people: pure functions from the API's types to text.

pub mod access;
pub mod build;
pub mod delivery;
pub mod deploy;
pub mod gates;
pub mod preview;
pub mod profile;
pub mod receipt;
pub mod rollouts;
pub mod rules;
pub mod run;
pub mod scale;
pub mod status;
pub mod strategy;
mod table;
pub mod workload;

use std::fmt::Write as _;

use hermez_api::Health;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::print::cell;

/// What a view is drawn for.
#[derive(Debug, Clone)]
pub struct Page {
    /// The time that "3 min ago" counts from.
    pub now: Timestamp,
    /// Where the reader lives.
    pub zone: TimeZone,
    /// Columns of the screen; none when the output goes to a file or a pipe.
    pub width: Option<u16>,
}

impl Page {
    /// How long ago something was, for tables.
    pub fn ago(&self, at: Timestamp) -> String {
        let seconds = self.now.duration_since(at).as_secs();
        match seconds {
            ..=1 => "just now".to_owned(),
            2..=119 => format!("{seconds} s ago"),
            120..=7_199 => format!("{} min ago", seconds / 60),
            7_200..=172_799 => format!("{} h ago", seconds / 3_600),
            172_800..=2_591_999 => format!("{} d ago", seconds / 86_400),
            _ => self.written(at, "%Y-%m-%d"),
        }
    }

    /// How long ago something was; a dash when it did not happen.
    pub fn ago_or_dash(&self, at: Option<Timestamp>) -> String {
        at.map_or_else(dash, |at| self.ago(at))
    }

    /// Time of the day with its zone, for lines of a log.
    pub fn clock(&self, at: Timestamp) -> String {
        self.written(at, "%H:%M:%S %Z")
    }

    /// Date and time with their zone.
    pub fn date(&self, at: Timestamp) -> String {
        self.written(at, "%Y-%m-%d %H:%M:%S %Z")
    }

    fn written(&self, at: Timestamp, format: &str) -> String {
        let zoned = at.to_zoned(self.zone.clone());
        zoned.strftime(format).to_string()
    }

    /// How long something took or takes; a dash when it has not begun.
    pub fn took(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> String {
        from.map_or_else(dash, |from| {
            duration(to.unwrap_or(self.now).duration_since(from))
        })
    }

    /// Names and values under each other, for one thing.
    pub fn facts(&self, facts: &[(&str, String)]) -> String {
        let widest = facts
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0);
        facts.iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name:widest$}  {}", cell(value));
            text
        })
    }
}

/// The text with no blanks at the ends of its lines.
fn lines(text: &str) -> String {
    text.lines()
        .fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// Nothing.
pub fn dash() -> String {
    "-".to_owned()
}

/// `14.2 s`, `3 min 5 s`, `2 h 10 min`.
pub fn duration(duration: SignedDuration) -> String {
    let millis = duration.as_millis().max(0);
    let seconds = millis / 1_000;
    match seconds {
        ..=59 => format!("{}.{} s", seconds, millis % 1_000 / 100),
        60..=3_599 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// The first digits of a commit id.
pub fn short(commit: &str) -> String {
    cell(commit.get(..7).unwrap_or(commit))
}

/// The text cut to `most` characters.
pub fn cut(text: &str, most: usize) -> String {
    let text = cell(text);
    if text.chars().count() <= most {
        return text;
    }
    text.chars()
        .take(most.saturating_sub(1))
        .chain(['…'])
        .collect()
}

/// A health in words.
pub fn health(health: Health) -> &'static str {
    match health {
        Health::Healthy => "healthy",
        Health::Progressing => "progressing",
        Health::Degraded => "degraded",
        Health::NotDeployed => "not deployed",
        Health::Unknown => "unknown",
    }
}

/// Says that more items are there than are shown.
pub fn more<T>(page: &hermez_api::Page<T>) -> String {
    if page.next_cursor.is_none() {
        return String::new();
    }
    format!("({} shown; there are more: --limit N)\n", page.items.len())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A page drawn at a fixed time, in UTC, on no terminal.
    pub fn page() -> Page {
        Page {
            now: at("2026-11-23T12:00:00Z"),
            zone: TimeZone::UTC,
            width: None,
        }
    }

    /// A time.
    pub fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn ages_are_told_in_one_unit() {
        let page = page();
        for (then, expect) in [
            ("2026-11-23T12:00:05Z", "just now"),
            ("2026-11-23T11:59:18Z", "42 s ago"),
            ("2026-11-23T11:57:00Z", "3 min ago"),
            ("2026-11-23T07:00:00Z", "5 h ago"),
            ("2026-11-20T12:00:00Z", "3 d ago"),
            ("2026-01-02T12:00:00Z", "2026-01-02"),
        ] {
            assert_eq!(page.ago(at(then)), expect);
        }
    }

    #[test]
    fn times_are_told_with_the_zone_of_the_reader() {
        let mut page = page();
        assert_eq!(page.clock(page.now), "12:00:00 UTC");
        page.zone = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(page.clock(page.now), "13:00:00 CET");
        let summer = at("2026-07-01T23:30:00Z");
        assert_eq!(page.date(summer), "2026-07-02 01:30:00 CEST");
    }

    #[test]
    fn durations_are_told_as_precisely_as_they_matter() {
        let told = |millis| duration(SignedDuration::from_millis(millis));
        assert_eq!(told(-5), "0.0 s");
        assert_eq!(told(14_260), "14.2 s");
        assert_eq!(told(185_000), "3 min 5 s");
        assert_eq!(told(7_800_000), "2 h 10 min");
    }

    #[test]
    fn ids_and_texts_of_any_length_are_cut() {
        assert_eq!(short("95f6178aaaa"), "95f6178");
        assert_eq!(short("é"), "é");
        assert_eq!(cut("äöüäöü", 4), "äöü…");
    }
}
