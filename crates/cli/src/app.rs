//! What a client command works with: the options, the client, the clock and the way to print.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;

use crate::args::Global;
use crate::client::{Answer, Client};
use crate::error::CliError;
use crate::print::{self, Format};
use crate::settings;
use crate::views::Page;

/// What a client command works with.
#[derive(Debug, Clone)]
pub struct App {
    /// The API.
    pub client: Client,
    /// How to print.
    pub format: Format,
}

impl App {
    /// Finds out the server and the token.
    pub fn new(global: &Global) -> Result<Self, CliError> {
        let connection = settings::connection(&global.flags())?;
        Ok(Self {
            client: Client::new(&connection)?,
            format: global.output,
        })
    }

    /// Whether programs read the output.
    pub fn json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints an answer: as it is for programs, through a view for people.
    pub fn show<T: DeserializeOwned>(
        &self,
        answer: &Answer,
        view: impl FnOnce(&T, &Page) -> String,
    ) -> Result<(), CliError> {
        if self.json() {
            return print::json(&answer.value);
        }
        print::raw(&view(&answer.read()?, &page()))
    }

    /// Prints what was done, for people; programs get the answer.
    pub fn done(&self, answer: &Answer, sentence: &str) -> Result<(), CliError> {
        if self.json() {
            return print::json(&answer.value);
        }
        print::line(sentence)
    }
}

/// The machine's time zone; UTC where it does not say which.
fn zone() -> TimeZone {
    let system = TimeZone::system();
    if system == TimeZone::unknown() {
        return TimeZone::UTC;
    }
    system
}

/// The clock, the time zone and the width of the screen that views are drawn for.
pub fn page() -> Page {
    Page {
        now: Timestamp::now(),
        zone: zone(),
        width: print::width(),
    }
}
