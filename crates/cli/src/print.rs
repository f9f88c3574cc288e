//! Writing to standard output: as people read it or as programs do.
//!
//! Text from outside (logs, commit titles, messages) passes [`printable`] or [`printable_log`], so
//! that nobody's commit can move the reader's cursor or retitle the terminal.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::error::CliError;

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Tables and sentences for people.
    #[default]
    Table,
    /// The API's own JSON; streaming commands print one object a line.
    Json,
}

/// Writes `text` as it is to standard output.
pub fn raw(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| written(&error))
}

/// Writes one line to standard output.
pub fn line(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|error| written(&error))
}

/// Writes one JSON object as one line.
pub fn json_line<T: Serialize>(value: &T) -> Result<(), CliError> {
    line(&serde_json::to_string(value).unwrap_or_default())
}

/// Writes indented JSON.
pub fn json<T: Serialize>(value: &T) -> Result<(), CliError> {
    line(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Tells the person something beside the command's own output; if nobody reads it, nobody hears it.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn written(error: &io::Error) -> CliError {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return CliError::OutputClosed;
    }
    CliError::Failed {
        message: format!("the output cannot be written: {error}"),
        hint: None,
    }
}

/// Whether somebody reads standard output on a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether somebody can be asked: both sides are a terminal.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Columns that standard output offers; none when it is not a terminal.
pub fn width() -> Option<u16> {
    console::Term::stdout()
        .size_checked()
        .map(|(_, columns)| columns)
}

/// The text without characters that steer a terminal; tabs and line ends stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| !steers(c)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|c| if steers(c) { '\u{fffd}' } else { c })
            .collect(),
    )
}

fn steers(c: char) -> bool {
    (c.is_control() && c != '\t' && c != '\n')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text on one line, fit for a table cell.
pub fn cell(text: &str) -> String {
    printable(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// A line of a program's log: its colours stay, anything else that steers a terminal goes.
pub fn printable_log(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(steers) {
        clean.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(colour) = colour_sequence(rest) {
            clean.push_str(colour);
            rest = &rest[colour.len()..];
        } else {
            let c = rest.chars().next().unwrap_or_default();
            // Progress bars end their lines with a bare carriage return: drop it without a trace.
            if c != '\r' {
                clean.push('\u{fffd}');
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    clean.push_str(rest);
    if clean.contains("\x1b[") {
        clean.push_str("\x1b[0m");
    }
    Cow::Owned(clean)
}

/// `ESC [ digits and ; m` at the start of the text.
fn colour_sequence(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("\x1b[")?;
    let end = inner.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
    (inner.as_bytes()[end] == b'm').then(|| &text[..end + 3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_the_rest_of_the_escapes_goes() {
        assert_eq!(printable_log("plain \t text"), "plain \t text");
        assert_eq!(
            printable_log("\x1b[31;1mred\x1b[0m"),
            "\x1b[31;1mred\x1b[0m\x1b[0m"
        );
        assert_eq!(printable_log("a\x1b[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(
            printable_log("\x1b]0;title\x07x"),
            "\u{fffd}]0;title\u{fffd}x"
        );
        assert_eq!(printable_log("50%\r"), "50%");
    }

    #[test]
    fn cells_are_one_line() {
        assert_eq!(cell("a\n b\t\tc\x1b"), "a b c\u{fffd}");
        assert_eq!(cell("evil \u{202e}txt"), "evil \u{fffd}txt");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_steers_survives(text in ".{0,64}") {
            proptest::prop_assert!(!printable(&text).contains(steers));
            let log = printable_log(&text).replace("\x1b[", "");
            proptest::prop_assert!(!log.contains('\x1b') && !log.contains('\x07'));
        }
    }
}
