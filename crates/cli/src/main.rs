//! The `hermez` program. Everything it does is in the library, so that tests can reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    hermez_cli::main()
}
