//! Saying what goes on: spinners on a terminal, lines with times elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a step that takes long says so where there is no terminal.
const REMINDER: Duration = Duration::from_secs(30);

/// Everything that is said from start to end.
pub struct Progress {
    started: Instant,
    bars: Option<MultiProgress>,
}

/// One thing that goes on.
pub struct Step<'a> {
    progress: &'a Progress,
    what: String,
    started: Instant,
    bar: Option<ProgressBar>,
    reminded: std::sync::Mutex<Instant>,
}

impl Progress {
    /// Begins to count the time.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            bars: std::io::stdout().is_terminal().then(MultiProgress::new),
        }
    }

    /// Says something that is over and done with.
    pub fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => drop(bars.println(text)),
            None => println!("[{}] {text}", elapsed(self.started)),
        }
    }

    /// Begins something that takes a while.
    pub fn step(&self, what: impl Into<String>) -> Step<'_> {
        let (what, now) = (what.into(), Instant::now());
        let bar = self.bars.as_ref().map(|bars| {
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}");
            let bar = bars.add(ProgressBar::new_spinner().with_message(what.clone()));
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            self.say(&what);
        }
        Step {
            progress: self,
            what,
            started: now,
            bar,
            reminded: std::sync::Mutex::new(now),
        }
    }

    /// Runs something that takes a while, and says when it is done.
    pub fn during<T>(
        &self,
        what: impl Into<String>,
        work: impl FnOnce() -> anyhow::Result<T> + Send,
    ) -> anyhow::Result<T>
    where
        T: Send,
    {
        let step = self.step(what);
        let result = std::thread::scope(|scope| {
            let worker = scope.spawn(work);
            while !worker.is_finished() {
                std::thread::sleep(Duration::from_millis(20));
                step.remind(None);
            }
            worker.join()
        });
        match result {
            Ok(Ok(value)) => {
                step.done();
                Ok(value)
            }
            Ok(Err(error)) => Err(error),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Step<'_> {
    /// Says, at times, that it is still going on, and with what.
    pub fn remind(&self, detail: Option<&str>) {
        if let (Some(bar), Some(detail)) = (&self.bar, detail) {
            bar.set_message(format!("{} ({detail})", self.what));
        }
        let Ok(mut reminded) = self.reminded.lock() else {
            return;
        };
        if self.bar.is_none() && reminded.elapsed() >= REMINDER {
            *reminded = Instant::now();
            let detail = detail
                .map(|detail| format!(" ({detail})"))
                .unwrap_or_default();
            self.progress
                .say(&format!("… still: {}{detail}", self.what));
        }
    }

    /// It is over.
    pub fn done(self) {
        let text = format!("✓ {} ({})", self.what, elapsed(self.started));
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.progress.say(&text);
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The time since then, for people.
pub fn elapsed(since: Instant) -> String {
    let seconds = since.elapsed().as_secs_f32();
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {:02} s", seconds as u32 / 60, seconds as u32 % 60)
    }
}
