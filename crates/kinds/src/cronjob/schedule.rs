//! When a cron job runs: a schedule as Kubernetes reads it, and its times. Pure.
//!
//! Kubernetes reads schedules by `robfig/cron`: five fields or a macro, no seconds, Sunday is 0.
//! Its reading is followed to the letter (what `*` means for days, what a change of the clocks does),
//! so that the times said here are the times at which Kubernetes acts. What is wrong is reported
//! with the field and the column within the schedule.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use crate::schema::nearest;

/// Years that are looked through for the next time, as many as Kubernetes does.
const YEARS: i16 = 5;

/// Macros, each with the five fields that it stands for.
const MACROS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// One of the five fields: its name, its numbers, and the words for them.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    field("minute", 0, 59, &[]),
    field("hour", 0, 23, &[]),
    field("day of the month", 1, 31, &[]),
    field("month", 1, 12, &MONTHS),
    field("day of the week", 0, 6, &WEEKDAYS),
];

const fn field(name: &'static str, least: u32, most: u32, words: &'static [&'static str]) -> Field {
    Field {
        name,
        least,
        most,
        words,
    }
}

/// A schedule that was read and found right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    minutes: Numbers,
    hours: Numbers,
    days: Numbers,
    months: Numbers,
    weekdays: Numbers,
}

/// The numbers of a field, as bits, and whether it says `*`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Numbers {
    bits: u64,
    any: bool,
}

impl Numbers {
    fn has(self, number: u32) -> bool {
        self.bits & (1 << number) != 0
    }

    fn all(self) -> impl Iterator<Item = i8> {
        (0..60_i8).filter(move |number| self.has(u32::from(number.cast_unsigned())))
    }
}

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleError {
    /// Field, for example `hour`; none when it is the schedule as a whole.
    pub field: Option<&'static str>,
    /// Where in the schedule, in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(f, "{field}, ")?;
        }
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for ScheduleError {}

/// A piece of the schedule, with its column.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    column: usize,
}

impl<'a> Piece<'a> {
    /// Its parts between a separator.
    fn split(self, separator: char) -> impl Iterator<Item = Piece<'a>> {
        let mut column = self.column;
        self.text.split(separator).map(move |text| {
            let piece = Piece { text, column };
            column += text.chars().count() + 1;
            piece
        })
    }
}

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// [`ScheduleError`] with the first thing that is wrong, also when it never fires.
    pub fn parse(text: &str) -> Result<Schedule, ScheduleError> {
        let whole = |message: String, hint: &str| ScheduleError {
            field: None,
            column: 1 + text.chars().take_while(|c| c.is_whitespace()).count(),
            message,
            hint: Some(hint.to_owned()),
        };
        let trimmed = text.trim();
        if trimmed.starts_with("TZ=") || trimmed.starts_with("CRON_TZ=") {
            return Err(whole(
                "a time zone does not belong in the schedule".to_owned(),
                "write it as timezone: Area/City",
            ));
        }
        if trimmed.starts_with('@') {
            return macro_schedule(trimmed).map_err(|(message, hint)| whole(message, &hint));
        }
        let pieces: Vec<Piece<'_>> = Piece { text, column: 1 }.split_whitespace().collect();
        if pieces.is_empty() {
            return Err(whole(
                "found nothing, expected five fields".to_owned(),
                "for example \"0 3 * * *\": every day at 3:00",
            ));
        }
        if pieces.len() != FIELDS.len() {
            return Err(wrong_count(&pieces, text));
        }
        let mut numbers = [Numbers::default(); 5];
        for ((field, piece), numbers) in FIELDS.iter().zip(pieces.iter()).zip(&mut numbers) {
            *numbers = read_field(field, *piece)?;
        }
        let [minutes, hours, days, months, weekdays] = numbers;
        let schedule = Schedule {
            minutes,
            hours,
            days,
            months,
            weekdays,
        };
        if schedule.never_fires() {
            return Err(ScheduleError {
                field: Some(FIELDS[2].name),
                column: pieces[2].column,
                message: format!(
                    "it never fires: no month of \"{}\" has a day \"{}\"",
                    pieces[3].text, pieces[2].text
                ),
                hint: Some("write a day that one of the months has".to_owned()),
            });
        }
        Ok(schedule)
    }

    /// Whether no day in any year is one of its days.
    fn never_fires(&self) -> bool {
        let longest = |month: u32| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let by_weekday = !self.weekdays.any;
        let fires = |month: u32| (1..=longest(month)).any(|day| self.days.has(day));
        !by_weekday && !(1..=12).any(|month| self.months.has(month) && fires(month))
    }

    /// The first time after `after`, by the clocks of `zone`; none within five years.
    ///
    /// A time that the clocks leave out is left out; one that they show twice counts twice.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = zone.to_datetime(after).date();
        // The clocks may go back over midnight.
        let mut day = today.yesterday().ok()?;
        while day.year() <= today.year() + YEARS {
            if self.has_day(day)
                && let Some(time) = self.first_on(day, zone, after)
            {
                return Some(time);
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The first times after `after`, at most `count`.
    pub fn times_after(&self, after: Timestamp, zone: &TimeZone, count: usize) -> Vec<Timestamp> {
        let next = |time: &Timestamp| self.next_after(*time, zone);
        std::iter::successors(self.next_after(after, zone), next)
            .take(count)
            .collect()
    }

    fn has_day(&self, day: Date) -> bool {
        let month = day.month().cast_unsigned();
        let by_day = self.days.has(u32::from(day.day().cast_unsigned()));
        let weekday = day.weekday().to_sunday_zero_offset().cast_unsigned();
        let by_weekday = self.weekdays.has(u32::from(weekday));
        let is_day = if self.days.any || self.weekdays.any {
            by_day && by_weekday
        } else {
            by_day || by_weekday
        };
        self.months.has(u32::from(month)) && is_day
    }

    fn first_on(&self, day: Date, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let mut first: Option<Timestamp> = None;
        for hour in self.hours.all() {
            for minute in self.minutes.all() {
                let shown = day.at(hour, minute, 0, 0);
                let offsets = match zone.to_ambiguous_timestamp(shown).offset() {
                    AmbiguousOffset::Unambiguous { offset } => [Some(offset), None],
                    AmbiguousOffset::Gap { .. } => [None, None],
                    AmbiguousOffset::Fold { before, after } => [Some(before), Some(after)],
                };
                let times = offsets.into_iter().flatten();
                let times = times.filter_map(|offset| offset.to_timestamp(shown).ok());
                let next = times.filter(|time| *time > after).min();
                first = [first, next].into_iter().flatten().min();
            }
        }
        first
    }
}

impl<'a> Piece<'a> {
    fn split_whitespace(self) -> impl Iterator<Item = Piece<'a>> {
        let start = self.text;
        self.text.split_whitespace().map(move |text| {
            let bytes = text.as_ptr() as usize - start.as_ptr() as usize;
            let before = start.get(..bytes).unwrap_or_default().chars().count();
            Piece {
                text,
                column: self.column + before,
            }
        })
    }
}

fn macro_schedule(text: &str) -> Result<Schedule, (String, String)> {
    let found = MACROS.iter().find(|(name, _)| *name == text);
    if let Some((_, fields)) = found {
        return Schedule::parse(fields).map_err(|error| (error.to_string(), String::new()));
    }
    let known = MACROS.map(|(name, _)| name);
    let shown = crate::yaml::shorten(text);
    if text.starts_with("@every") {
        let hint =
            "a cron job runs by the clock: for example \"*/5 * * * *\" is every five minutes";
        return Err((
            format!("found \"{shown}\", which has no fixed times"),
            hint.to_owned(),
        ));
    }
    let message = format!("found \"{shown}\", expected one of {}", known.join(", "));
    let hint = match nearest(text, known) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => "or write five fields, for example \"0 3 * * *\": every day at 3:00".to_owned(),
    };
    Err((message, hint))
}

fn wrong_count(pieces: &[Piece<'_>], text: &str) -> ScheduleError {
    let names = FIELDS.map(|field| field.name).join(", ");
    let count = pieces.len();
    let (field, column, hint) = match pieces.get(FIELDS.len()) {
        Some(extra) if count == FIELDS.len() + 1 => {
            let hint = "Kubernetes knows no seconds and no years: leave that field out";
            (None, extra.column, hint.to_owned())
        }
        Some(extra) => (None, extra.column, "leave out what is too much".to_owned()),
        None => {
            let end = text.trim_end().chars().count();
            let missing = FIELDS.get(count).map(|field| field.name);
            let hint = "write * for what may be anything".to_owned();
            (missing, end + 1, hint)
        }
    };
    let fields = if count == 1 { "field" } else { "fields" };
    ScheduleError {
        field,
        column,
        message: format!("found {count} {fields}, expected five: {names}"),
        hint: Some(hint),
    }
}

fn read_field(field: &Field, piece: Piece<'_>) -> Result<Numbers, ScheduleError> {
    let mut numbers = Numbers::default();
    for item in piece.split(',') {
        let more = read_item(field, item)?;
        numbers.bits |= more.bits;
        numbers.any |= more.any;
    }
    Ok(numbers)
}

/// `*`, `5`, `1-5`, each with or without `/2`.
fn read_item(field: &Field, item: Piece<'_>) -> Result<Numbers, ScheduleError> {
    let mut parts = item.split('/');
    let range = parts.next().unwrap_or(item);
    let step = parts.next();
    if let Some(extra) = parts.next() {
        let column = extra.column - 1;
        let hint = "write one step, for example */5".to_owned();
        return Err(field.error(column, "found a second \"/\"".to_owned(), Some(hint)));
    }
    let is_any = matches!(range.text, "*" | "?");
    let (least, mut most) = if is_any {
        (field.least, field.most)
    } else {
        read_range(field, range)?
    };
    let step_size = match step {
        Some(step) => read_step(field, step)?,
        None => 1,
    };
    if step.is_some() && !range.text.contains('-') {
        // "5/15" begins at 5 and goes on to the end.
        most = field.most;
    }
    let bits = (least..=most)
        .step_by(step_size as usize)
        .fold(0, |bits, number| bits | (1 << number));
    Ok(Numbers {
        bits,
        any: is_any && step_size == 1,
    })
}

fn read_range(field: &Field, range: Piece<'_>) -> Result<(u32, u32), ScheduleError> {
    let mut ends = range.split('-');
    let first = ends.next().unwrap_or(range);
    let least = field.read(first)?;
    let Some(last) = ends.next() else {
        return Ok((least, least));
    };
    let most = field.read(last)?;
    if let Some(extra) = ends.next() {
        let hint = "write one range, for example 1-5, or several with commas".to_owned();
        return Err(field.error(
            extra.column - 1,
            "found a second \"-\"".to_owned(),
            Some(hint),
        ));
    }
    if least > most {
        let message = format!("the range \"{}\" goes backwards", range.text);
        let hint = format!(
            "write {}-{},{}-{} for what goes over the end",
            first.text, field.most, field.least, last.text
        );
        return Err(field.error(range.column, message, Some(hint)));
    }
    Ok((least, most))
}

fn read_step(field: &Field, step: Piece<'_>) -> Result<u32, ScheduleError> {
    let number = digits(step.text).filter(|number| *number > 0);
    number.ok_or_else(|| {
        let message = format!(
            "found {} as the step, expected at least 1",
            quoted(step.text)
        );
        field.error(step.column, message, Some("for example */5".to_owned()))
    })
}

/// A number of few digits.
fn digits(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn quoted(text: &str) -> String {
    if text.is_empty() {
        "nothing".to_owned()
    } else {
        format!("\"{}\"", crate::yaml::shorten(text))
    }
}

impl Field {
    fn read(&self, piece: Piece<'_>) -> Result<u32, ScheduleError> {
        let lower = piece.text.to_ascii_lowercase();
        let word = self.words.iter().position(|word| *word == lower);
        let number = word
            .map(|index| self.least + index as u32)
            .or_else(|| digits(piece.text));
        if let Some(number) = number.filter(|number| (self.least..=self.most).contains(number)) {
            return Ok(number);
        }
        let words = match self.words {
            [first, .., last] => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        let message = format!(
            "found {}, expected {} to {}{words}",
            quoted(piece.text),
            self.least,
            self.most
        );
        let hint = if self.most == 6 && number == Some(7) {
            Some("Sunday is 0".to_owned())
        } else if lower.contains(['l', 'w', '#']) && self.words.is_empty() {
            Some("Kubernetes knows no L, W or #".to_owned())
        } else {
            nearest(&lower, self.words.iter().copied()).map(|word| format!("did you mean {word}?"))
        };
        Err(self.error(piece.column, message, hint))
    }

    fn error(&self, column: usize, message: String, hint: Option<String>) -> ScheduleError {
        ScheduleError {
            field: Some(self.name),
            column,
            message,
            hint,
        }
    }
}

/// The time zone of that name, out of the IANA database that is built in.
///
/// # Errors
/// The name that was most likely meant, if any.
pub fn time_zone(name: &str) -> Result<TimeZone, Option<String>> {
    let zones = TimeZoneDatabase::bundled();
    // Names are told apart by case in Kubernetes.
    if zones.available().any(|known| known.as_str() == name)
        && let Ok(zone) = zones.get(name)
    {
        return Ok(zone);
    }
    let known: Vec<String> = zones
        .available()
        .map(|name| name.as_str().to_owned())
        .collect();
    let same = known.iter().find(|known| known.eq_ignore_ascii_case(name));
    let city = |known: &&String| {
        known
            .rsplit('/')
            .next()
            .is_some_and(|city| city.eq_ignore_ascii_case(name))
    };
    let likely = same.or_else(|| known.iter().find(city)).cloned();
    Err(likely.or_else(|| nearest(name, known.iter().map(String::as_str)).map(str::to_owned)))
}
