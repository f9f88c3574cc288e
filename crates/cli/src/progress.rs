//! Progress of long work: a moving line on a terminal, plain lines elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::CliError;
use crate::print;

/// A moving line under the output, when somebody looks.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A spinner with a message; invisible unless standard error is a terminal and `shown`.
    pub fn start(shown: bool, message: &str) -> Self {
        let bar = ProgressBar::new(0);
        bar.set_draw_target(if shown && console::user_attended_stderr() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        });
        bar.set_style(style("{spinner} {wide_msg}"));
        bar.set_message(message.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar }
    }

    /// Says what happens now.
    pub fn message(&self, message: &str) {
        self.bar.set_style(style("{spinner} {wide_msg}"));
        self.bar.set_message(print::cell(message));
    }

    /// Says how many of how many are done.
    pub fn counted(&self, done: i32, of: i32, message: &str) {
        self.bar
            .set_style(style("{spinner} [{bar:24}] {pos}/{len} {wide_msg}"));
        self.bar.set_length(u64::try_from(of).unwrap_or(0));
        self.bar.set_position(u64::try_from(done).unwrap_or(0));
        self.bar.set_message(print::cell(message));
    }

    /// Prints a line of output above the moving one.
    pub fn line(&self, text: &str) -> Result<(), CliError> {
        self.bar.suspend(|| print::line(text))
    }

    /// Takes the moving line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("=> ")
}
