//! Runs test programs side by side, each with its output in one piece.
//!
//! Tests on a cluster mostly wait for pods; `cargo test` would run one program after the other.

use std::collections::VecDeque;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use hermez_sandbox::command;
use serde_json::Value;

use super::process::{self, Interruption};
use super::tools;

/// Programs that run at the same time. With two of them, two cores had nothing to do for more than half
/// of the time: tests on a cluster wait for pods.
const LANES: usize = 3;

/// A built test program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Name of the test target.
    pub name: String,
    executable: PathBuf,
    /// The folder of its package, in which `cargo test` would run it.
    package: PathBuf,
}

impl Program {
    /// How it is run.
    pub fn command(&self) -> Command {
        let mut command = tools::program(&self.executable);
        command
            .current_dir(&self.package)
            .env("CARGO_MANIFEST_DIR", &self.package);
        command
    }
}

/// The programs that Cargo has built, as `cargo test --no-run --message-format=json` lists them.
pub fn programs(messages: &str) -> anyhow::Result<Vec<Program>> {
    let mut programs = Vec::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line).context("a message of Cargo's")?;
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        let (Some(executable), Some("compiler-artifact")) = (text("/executable"), text("/reason"))
        else {
            continue;
        };
        // Binaries are built too, for the tests that run them.
        if message.pointer("/profile/test") != Some(&Value::Bool(true)) {
            continue;
        }
        let manifest = Path::new(text("/manifest_path").context("no manifest_path")?);
        programs.push(Program {
            name: text("/target/name").context("no target name")?.to_owned(),
            executable: executable.into(),
            package: manifest.parent().context("no package folder")?.to_owned(),
        });
    }
    Ok(programs)
}

/// Builds the test programs that a `cargo test` command chooses, and says where they are.
pub fn build(cargo_test: &mut Command) -> anyhow::Result<Vec<Program>> {
    cargo_test.args(["--no-run", "--message-format=json-render-diagnostics"]);
    // What the compiler says goes to standard error, and is seen.
    cargo_test.stderr(std::process::Stdio::inherit());
    let messages = command::output(cargo_test)?;
    programs(&messages)
}

/// Runs them all, [`LANES`] at a time, in their order; an error names those that failed.
pub fn run(programs: Vec<(String, Command)>, interruption: &Interruption) -> anyhow::Result<()> {
    let queue = Mutex::new(VecDeque::from(programs));
    let failed = Mutex::new(Vec::new());
    let next = || lock(&queue).pop_front();
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some((name, command)) = next() {
                    if let Err(error) = run_one(&name, command, interruption) {
                        lock(&failed).push(format!("{name}: {error:#}"));
                    }
                    if interruption.is_raised() {
                        return;
                    }
                }
            });
        }
    });
    anyhow::ensure!(!interruption.is_raised(), "interrupted");
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    anyhow::ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// Runs one, and prints what it said when it has ended.
fn run_one(name: &str, mut command: Command, interruption: &Interruption) -> anyhow::Result<()> {
    let mut output = tempfile::tempfile()?;
    command
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?);
    println!("     Started {name}");
    let begun = Instant::now();
    let ended = process::run(&mut command, interruption);
    let seconds = begun.elapsed().as_secs_f32();
    let mut said = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut said)?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "       Ended {name} after {seconds:.0} s")?;
    stdout.write_all(&said)?;
    stdout.flush()?;
    ended
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::process::tests::shell;

    #[test]
    fn test_programs_are_found_among_what_cargo_built() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/r/crates/kinds/Cargo.toml","target":{"name":"hermez_kinds"},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","manifest_path":"/r/crates/cli/Cargo.toml","target":{"name":"hermez"},"profile":{"test":false},"executable":"/t/hermez"}
{"reason":"compiler-artifact","manifest_path":"/r/tests/journeys/Cargo.toml","target":{"name":"waves"},"profile":{"test":true},"executable":"/t/waves-1"}
{"reason":"build-finished","success":true}
"#;
        let waves = Program {
            name: "waves".into(),
            executable: "/t/waves-1".into(),
            package: "/r/tests/journeys".into(),
        };
        assert_eq!(programs(messages).unwrap(), [waves]);
    }

    #[test]
    fn all_run_side_by_side_and_those_that_fail_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let touch = |name: &str| format!("touch {}/{name}", folder.path().display());
        let see = |name: &str| format!("test -e {}/{name}", folder.path().display());
        // Each waits for the other: one after the other they would never end.
        let meet = |own: &str, other: &str| {
            let (touch, see) = (touch(own), see(other));
            shell(&format!("{touch}; until {see}; do sleep 0.01; done"))
        };
        let programs = vec![
            ("a".to_owned(), meet("a", "b")),
            ("b".to_owned(), meet("b", "a")),
            ("bad".to_owned(), shell("exit 3")),
            ("last".to_owned(), shell(&touch("last"))),
        ];
        let error = run(programs, &Interruption::ignored()).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("bad: sh ended with"), "{error}");
        assert!(folder.path().join("last").exists());
    }
}
