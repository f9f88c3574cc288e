//! Deploy windows: days and times of the week, by the clocks of a time zone.
//!
//! A window is the span between two moments, not a look at the clock: where the clocks go forward
//! over one of its ends, that end is when they do; where they go back over one, it opens at the
//! first of the two and closes at the second. So it is open whenever the clock shows one of its
//! times, and a window that lies wholly in an hour that is left out does not open on that day.

use hermez_api::{DeployWindow, DeployWindows, Hold, HoldingRule, RuleScope, Weekday};
use hermez_kinds::cronjob::schedule::time_zone;
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::{HORIZON, Wanted};

/// Most windows of a workload or a project.
pub const WINDOWS_MAX: usize = 20;
/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Days that are looked through for the next opening.
const DAYS_AHEAD: usize = 400;

/// Why windows are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// There is none, or there are too many.
    #[error("has {count} windows; 1 to {WINDOWS_MAX} are possible")]
    Count {
        /// How many there are.
        count: usize,
    },
    /// No such time zone.
    #[error("names the time zone `{name}`, which there is not")]
    Zone {
        /// What was written.
        name: String,
        /// What was most likely meant.
        meant: Option<String>,
    },
    /// Not a time of a day.
    #[error("has `{text}` for a time of the day")]
    Time {
        /// What was written.
        text: String,
    },
    /// It closes when it opens.
    #[error("has a window that never opens: it closes at {at}, when it opens")]
    Empty {
        /// That time.
        at: String,
    },
    /// It opens on no day.
    #[error("has a window that never opens: it names no day")]
    NoDays,
    /// Nothing of it ever comes.
    #[error("never opens within a year")]
    Never,
    /// It is never open when the other one is.
    #[error("is never open when the deploy window of {other} ({text}) is")]
    Apart {
        /// The project or workload.
        other: String,
        /// The other windows in words.
        text: String,
    },
}

impl WindowError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        match self {
            WindowError::Count { .. } => {
                "name windows like \"Mon-Fri 09:00-17:00\", or clear them".to_owned()
            }
            WindowError::Zone { meant, .. } => match meant {
                Some(meant) => format!("did you mean {meant}?"),
                None => "write an IANA time zone like Europe/Berlin".to_owned(),
            },
            WindowError::Time { .. } => {
                "write HH:MM, from 00:00 to 24:00 (and to 23:59 for when it opens)".to_owned()
            }
            WindowError::Empty { .. } => {
                "for the whole day write 00:00-24:00; for no deploys at all make a freeze"
                    .to_owned()
            }
            WindowError::NoDays | WindowError::Never => {
                "name the days on which it opens".to_owned()
            }
            WindowError::Apart { .. } => {
                "both must be open for a deploy: let them overlap, or clear one".to_owned()
            }
        }
    }
}

/// One window as numbers.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// Monday first.
    days: [bool; 7],
    /// Minutes from midnight.
    from: u16,
    /// The same; not later than `from` means on the next day.
    to: u16,
}

/// Which end of a window a moment is.
#[derive(Clone, Copy)]
enum End {
    Opens,
    Closes,
}

/// Windows that were read.
#[derive(Debug, Clone)]
pub struct Windows {
    zone: TimeZone,
    spans: Vec<Span>,
    text: String,
}

fn minutes(text: &str, most: u16) -> Result<u16, WindowError> {
    let wrong = || WindowError::Time {
        text: text.chars().take(20).collect(),
    };
    let digits = |part: &str, most: u16| {
        let number = (part.len() == 2 && part.bytes().all(|it| it.is_ascii_digit()))
            .then(|| part.parse::<u16>().ok())
            .flatten();
        number.filter(|number| *number <= most)
    };
    let (hours, rest) = text.split_once(':').ok_or_else(wrong)?;
    let time = digits(hours, 24)
        .zip(digits(rest, 59))
        .map(|(hours, minutes)| hours * 60 + minutes);
    time.filter(|time| *time <= most).ok_or_else(wrong)
}

fn span(window: &DeployWindow) -> Result<Span, WindowError> {
    let from = minutes(&window.from, DAY - 1)?;
    let to = minutes(&window.to, DAY)?;
    if from == to {
        let at = window.from.clone();
        return Err(WindowError::Empty { at });
    }
    let mut days = [false; 7];
    for day in &window.days {
        days[*day as usize] = true;
    }
    if !days.contains(&true) {
        return Err(WindowError::NoDays);
    }
    Ok(Span { days, from, to })
}

impl Windows {
    /// Reads windows.
    ///
    /// # Errors
    /// When one could never open, by what it says itself.
    pub fn read(windows: &DeployWindows) -> Result<Windows, WindowError> {
        let count = windows.windows.len();
        if !(1..=WINDOWS_MAX).contains(&count) {
            return Err(WindowError::Count { count });
        }
        let zone = time_zone(&windows.time_zone).map_err(|meant| WindowError::Zone {
            name: windows.time_zone.chars().take(60).collect(),
            meant,
        })?;
        let spans = windows.windows.iter().map(span).collect::<Result<_, _>>()?;
        Ok(Windows {
            zone,
            spans,
            text: text(windows),
        })
    }

    /// The same, refused when it never opens, alone or together with the windows of others.
    ///
    /// # Errors
    /// See [`WindowError`].
    pub fn check(
        windows: &DeployWindows,
        others: &[(String, DeployWindows)],
        now: Timestamp,
    ) -> Result<Windows, WindowError> {
        let own = Windows::read(windows)?;
        own.opens(now).ok_or(WindowError::Never)?;
        for (name, theirs) in others {
            // What cannot be read any more holds everything and is said then.
            if let Ok(other) = Windows::read(theirs)
                && first_open(&[&own, &other], now).is_none()
            {
                return Err(WindowError::Apart {
                    other: name.clone(),
                    text: other.text,
                });
            }
        }
        Ok(own)
    }

    /// The moment of a time of a day.
    fn moment(&self, day: Date, minutes: u16, end: End) -> Option<Timestamp> {
        let (day, minutes) = if minutes == DAY {
            (day.tomorrow().ok()?, 0)
        } else {
            (day, minutes)
        };
        let hour = i8::try_from(minutes / 60).ok()?;
        let shown = day.at(hour, i8::try_from(minutes % 60).ok()?, 0, 0);
        match self.zone.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(shown).ok(),
            AmbiguousOffset::Gap { before, .. } => {
                // The clocks go forward over it: the last change before what they would have shown.
                let would_be = before.to_timestamp(shown).ok()?;
                let just_after = would_be.checked_add(1.second()).ok()?;
                let change = self.zone.preceding(just_after).next()?;
                Some(change.timestamp())
            }
            AmbiguousOffset::Fold { before, after } => {
                let offset = match end {
                    End::Opens => before,
                    End::Closes => after,
                };
                offset.to_timestamp(shown).ok()
            }
        }
    }

    /// From when until when a window that opens on that day is open.
    fn opening(&self, span: &Span, day: Date) -> Option<(Timestamp, Timestamp)> {
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
        if !*span.days.get(weekday)? {
            return None;
        }
        let from = self.moment(day, span.from, End::Opens)?;
        let last = if span.to > span.from {
            day
        } else {
            day.tomorrow().ok()?
        };
        let to = self.moment(last, span.to, End::Closes)?;
        (from < to).then_some((from, to))
    }

    /// Now when it is open, else when it opens next; none within 400 days.
    pub fn opens(&self, now: Timestamp) -> Option<Timestamp> {
        let today = self.zone.to_datetime(now).date();
        // A window of yesterday may reach into today, and clocks may go back over midnight.
        let mut day = today.checked_sub(2.days()).ok()?;
        let mut next: Option<Timestamp> = None;
        for _ in 0..DAYS_AHEAD {
            for span in &self.spans {
                let Some((from, to)) = self.opening(span, day) else {
                    continue;
                };
                if from <= now && now < to {
                    return Some(now);
                }
                if from > now {
                    next = [next, Some(from)].into_iter().flatten().min();
                }
            }
            // A later day opens later, unless the clocks go back over midnight in between.
            if next.is_some() && day > today {
                return next;
            }
            day = day.tomorrow().ok()?;
        }
        next
    }
}

/// The first time from `now` on at which all are open, within 400 days.
fn first_open(all: &[&Windows], now: Timestamp) -> Option<Timestamp> {
    let mut time = now;
    while time.duration_since(now) <= HORIZON {
        let opens: Option<Vec<Timestamp>> = all.iter().map(|it| it.opens(time)).collect();
        let next = opens?.into_iter().max()?;
        if next == time {
            return Some(time);
        }
        time = next;
    }
    None
}

const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Days in words: `Mon-Fri`, `Mon, Wed`, `every day`.
fn days(days: &[Weekday]) -> String {
    let on: Vec<bool> = (0..7)
        .map(|number| days.iter().any(|day| *day as usize == number))
        .collect();
    if on.iter().all(|it| *it) {
        return "every day".to_owned();
    }
    let mut parts = Vec::new();
    let mut first = 0;
    while first < 7 {
        let length = on[first..].iter().take_while(|it| **it).count();
        match length {
            0 => {}
            1 => parts.push(NAMES[first].to_owned()),
            _ => parts.push(format!("{}-{}", NAMES[first], NAMES[first + length - 1])),
        }
        first += length.max(1);
    }
    parts.join(", ")
}

/// Windows in words: `Mon-Fri 09:00-17:00, Sat 10:00-12:00 Europe/Berlin`.
pub fn text(windows: &DeployWindows) -> String {
    let each = windows
        .windows
        .iter()
        .map(|it| format!("{} {}-{}", days(&it.days), it.from, it.to));
    let each: Vec<String> = each.collect();
    format!("{} {}", each.join(", "), windows.time_zone)
}

/// The hold of windows that are closed.
pub fn hold(
    wanted: &Wanted<'_>,
    scope: RuleScope,
    windows: &DeployWindows,
    now: Timestamp,
) -> Option<Hold> {
    let of = match scope {
        RuleScope::Project => format!(" of project {}", wanted.project),
        _ => String::new(),
    };
    let (message, hint, allowed_at) = match Windows::read(windows) {
        Ok(read) => {
            let opens = read.opens(now);
            if opens == Some(now) {
                return None;
            }
            let when = opens.map_or_else(
                || "it does not open within a year".to_owned(),
                |at| {
                    let at = at.to_zoned(read.zone.clone());
                    format!("opens {}", at.strftime("%a %-d %b %H:%M %Z"))
                },
            );
            let message = format!("outside the deploy window{of} {}; {when}", read.text);
            (message, None, opens)
        }
        // It was checked when it was set; since then a time zone may have gone.
        Err(error) => {
            let message = format!("the deploy window{of} cannot be used any more: it {error}");
            (message, Some(error.hint()), None)
        }
    };
    Some(Hold {
        rule: HoldingRule::Window,
        scope,
        message,
        hint,
        allowed_at,
    })
}

#[cfg(test)]
mod tests;
