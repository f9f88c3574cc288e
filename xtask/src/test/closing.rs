//! How it went: the closing table.

use std::fmt::Write as _;
use std::time::Duration;

/// How a part went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything in it passed.
    Passed,
    /// It cannot run on this machine, and need not.
    Skipped(String),
    /// Something in it failed, or it could not run.
    Failed(String),
}

impl Outcome {
    /// In one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "FAILED",
        }
    }
}

/// One part.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// How long it took.
    pub time: Duration,
    /// How it went.
    pub outcome: Outcome,
}

/// The closing table.
pub fn table(rows: &[Row], total: Duration) -> String {
    let mut text = format!("\n━━ summary\n{:<14} {:>9}  RESULT\n", "PART", "SECONDS");
    for row in rows {
        let why = match &row.outcome {
            Outcome::Passed => String::new(),
            Outcome::Skipped(why) | Outcome::Failed(why) => {
                format!(": {}", why.lines().next().unwrap_or_default())
            }
        };
        let _ = writeln!(
            text,
            "{:<14} {:>9.1}  {}{why}",
            row.name,
            row.time.as_secs_f32(),
            row.outcome.word()
        );
    }
    let _ = writeln!(text, "{:<14} {:>9.1}", "total", total.as_secs_f32());
    text
}

/// An error when any part failed.
pub fn verdict(rows: &[Row]) -> anyhow::Result<()> {
    let failed: Vec<&str> = rows
        .iter()
        .filter(|row| matches!(row.outcome, Outcome::Failed(_)))
        .map(|row| row.name)
        .collect();
    anyhow::ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    println!("All parts passed.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, outcome: Outcome) -> Row {
        Row {
            name,
            time: Duration::from_millis(1_240),
            outcome,
        }
    }

    #[test]
    fn one_failure_fails_the_run_and_a_skipped_part_does_not() {
        let skipped = row(
            "deny",
            Outcome::Skipped("cargo-deny is not installed".to_owned()),
        );
        assert!(verdict(&[row("fmt", Outcome::Passed), skipped.clone()]).is_ok());
        let failed = row(
            "unit",
            Outcome::Failed("cargo ended with 101\nmore".to_owned()),
        );
        let rows = [row("fmt", Outcome::Passed), skipped, failed];
        assert_eq!(verdict(&rows).unwrap_err().to_string(), "failed: unit");
        let table = table(&rows, Duration::from_secs(90));
        assert!(table.contains("fmt                  1.2  ok\n"), "{table}");
        assert!(
            table.contains("unit                 1.2  FAILED: cargo ended with 101\n"),
            "{table}"
        );
        assert!(table.contains("total               90.0\n"), "{table}");
    }
}
