//! What can go wrong in a command, and how it is told: what happened, why, what to do next.

use std::fmt::Write as _;
use std::path::PathBuf;

use hermez_api::{Place, Problem};

use crate::print::{Format, note, printable};

/// Why a command ended without doing what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The server refused the request.
    #[error("{}", .0.detail.as_deref().unwrap_or(&.0.title))]
    Refused(Box<Problem>),
    /// No answer came from the server.
    #[error("the Hermez server at {server} cannot be reached: {reason}")]
    Unreachable {
        /// Its address.
        server: String,
        /// What the network said.
        reason: String,
    },
    /// No server or no token is known.
    #[error("{message}")]
    NotSignedIn {
        /// What is missing.
        message: String,
        /// How to sign in.
        hint: String,
    },
    /// The command cannot be carried out as it was written.
    #[error("{message}")]
    Usage {
        /// What is wrong with it.
        message: String,
        /// What to write instead.
        hint: String,
    },
    /// What was asked for was tried, and failed (a deploy, a build).
    #[error("{message}")]
    Failed {
        /// What failed, and why.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The server's answer was lost on the way, or is not what this version understands.
    #[error("the server's answer to {request} cannot be used: {reason}")]
    Answer {
        /// Method and path.
        request: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A config file is wrong; the report shows where.
    #[error("{summary}")]
    Config {
        /// The first problem, in one line.
        summary: String,
        /// The problems drawn over the file's text.
        drawing: String,
        /// The places, for programs.
        places: Vec<Place>,
    },
    /// The server ended with an error, or could not start.
    #[error("{0:#}")]
    Server(anyhow::Error),
    /// Whoever read our output has gone (`hermez logs … | head`): nothing to complain about.
    #[error("the reader of the output has gone")]
    OutputClosed,
    /// Ctrl-C.
    #[error("{message}")]
    Interrupted {
        /// What goes on without us.
        message: String,
    },
}

impl CliError {
    /// The exit code that tells a script what happened.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Refused(problem) if matches!(problem.status, 401 | 403) => 3,
            Self::Refused(problem) if matches!(problem.status, 400 | 422) => 2,
            Self::Refused(_)
            | Self::Failed { .. }
            | Self::Answer { .. }
            | Self::File { .. }
            | Self::Config { .. }
            | Self::Server(_) => 1,
            Self::Usage { .. } => 2,
            Self::NotSignedIn { .. } => 3,
            Self::Unreachable { .. } => 4,
            Self::Interrupted { .. } => 130,
        }
    }

    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            // The server's own hint is for browsers as well.
            Self::Refused(problem) if problem.status == 401 => Some(
                "Sign in with `hermez login --server URL --token-stdin`, or set HERMEZ_TOKEN_FILE."
                    .to_owned(),
            ),
            Self::Refused(problem) => problem.hint.clone(),
            Self::Unreachable { .. } => Some(
                "Check that the server runs and that HERMEZ_SERVER (or --server) is right; on your own machine `cargo xtask up` starts one."
                    .to_owned(),
            ),
            Self::NotSignedIn { hint, .. } | Self::Usage { hint, .. } => Some(hint.clone()),
            Self::Failed { hint, .. } | Self::File { hint, .. } => hint.clone(),
            Self::Answer { .. } => Some(
                "Ask again; if it stays so, compare `hermez --version` with the server's version in `hermez whoami`."
                    .to_owned(),
            ),
            Self::Config { .. } | Self::Server(_) | Self::OutputClosed | Self::Interrupted { .. } => {
                None
            }
        }
    }

    /// The error in the API's own shape, for `--output json`.
    pub fn problem(&self) -> Problem {
        let word = match self {
            Self::Refused(problem) => return (**problem).clone(),
            Self::Unreachable { .. } => "server-unreachable",
            Self::NotSignedIn { .. } => "not-signed-in",
            Self::Usage { .. } => "usage",
            Self::Failed { .. } => "failed",
            Self::Answer { .. } => "answer-not-understood",
            Self::File { .. } => "file",
            Self::Config { .. } => "config-invalid",
            Self::Server(_) => "server",
            Self::OutputClosed => "output-closed",
            Self::Interrupted { .. } => "interrupted",
        };
        let places = match self {
            Self::Config { places, .. } => places.clone(),
            _ => Vec::new(),
        };
        Problem {
            kind: format!("urn:hermez:problem:cli:{word}"),
            title: self.to_string(),
            status: 0,
            detail: None,
            hint: self.hint(),
            request_id: None,
            places,
        }
    }

    /// The error for people.
    pub fn text(&self) -> String {
        let what = match self {
            // What the places say is not said twice.
            Self::Refused(problem) if repeats_a_place(problem) => problem.title.clone(),
            _ => self.to_string(),
        };
        let mut text = format!("error: {}\n", printable(&what));
        match self {
            Self::Refused(problem) => {
                for place in &problem.places {
                    let _ = writeln!(text, "  {}", printable(&place_text(place)));
                    if let Some(hint) = &place.hint {
                        let _ = writeln!(text, "    {}", printable(hint));
                    }
                }
            }
            Self::Config { drawing, .. } => text.clone_from(drawing),
            _ => {}
        }
        if let Some(hint) = self.hint() {
            let hint = printable(&hint).replace('\n', "\n  ");
            let _ = writeln!(text, "  hint: {hint}");
        }
        if let Self::Refused(problem) = self
            && let Some(id) = &problem.request_id
        {
            let _ = writeln!(text, "  request id: {}", printable(id));
        }
        text
    }
}

/// Whether the problem's own words are those of its places.
fn repeats_a_place(problem: &Problem) -> bool {
    let detail = problem.detail.as_deref().unwrap_or_default();
    let mut places = problem.places.iter();
    places.any(|place| {
        let begin = format!("{}:", place.file);
        detail.contains(&begin) && detail.contains(&place.message)
    })
}

/// `file:line:column: message (field)`, as editors understand it.
pub fn place_text(place: &Place) -> String {
    let mut text = place.file.clone();
    if let Some(line) = place.line {
        let _ = write!(text, ":{line}");
        if let Some(column) = place.column {
            let _ = write!(text, ":{column}");
        }
    }
    let _ = write!(text, ": {}", place.message);
    if let Some(field) = &place.field
        && !place.message.contains(field.as_str())
    {
        let _ = write!(text, " ({field})");
    }
    text
}

/// Writes the error to standard error, as text or as a JSON problem.
pub fn report(error: &CliError, format: Format) {
    let text = match format {
        // Ctrl-C is no error; what goes on without us is worth a line.
        Format::Table if matches!(error, CliError::Interrupted { .. }) => error.to_string(),
        Format::Table => error.text(),
        Format::Json => {
            serde_json::to_string(&error.problem()).unwrap_or_else(|_| error.to_string())
        }
    };
    note(text.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16) -> Problem {
        Problem {
            kind: "urn:hermez:problem:config-invalid".to_owned(),
            title: "The config file is wrong".to_owned(),
            status,
            detail: Some("deploy/hello.yaml has an unknown field".to_owned()),
            hint: Some("Did you mean replicas?".to_owned()),
            request_id: Some("01JD".to_owned()),
            places: vec![Place {
                file: "deploy/hello.yaml".to_owned(),
                line: Some(7),
                column: Some(3),
                field: Some("spec.replica".to_owned()),
                message: "unknown field".to_owned(),
                hint: Some("write `replicas`".to_owned()),
            }],
        }
    }

    #[test]
    fn tells_what_where_and_what_next() {
        let error = CliError::Refused(Box::new(problem(422)));
        insta::assert_snapshot!(error.text(), @r"
        error: deploy/hello.yaml has an unknown field
          deploy/hello.yaml:7:3: unknown field (spec.replica)
            write `replicas`
          hint: Did you mean replicas?
          request id: 01JD
        ");
    }

    #[test]
    fn what_a_place_says_is_not_said_twice() {
        let mut twice = problem(422);
        twice.detail = Some("It is wrong: deploy/hello.yaml:7:3: unknown field.".to_owned());
        let text = CliError::Refused(Box::new(twice)).text();
        assert!(
            text.starts_with("error: The config file is wrong\n"),
            "{text}"
        );
        assert_eq!(text.matches("unknown field").count(), 1, "{text}");
    }

    #[test]
    fn exit_codes_tell_scripts_what_happened() {
        let code = |status| CliError::Refused(Box::new(problem(status))).exit_code();
        assert_eq!(
            (code(401), code(403), code(404), code(409), code(500)),
            (3, 3, 1, 1, 1)
        );
        assert_eq!((code(400), code(422)), (2, 2));
        let unreachable = CliError::Unreachable {
            server: String::new(),
            reason: String::new(),
        };
        assert_eq!(unreachable.exit_code(), 4);
        assert_eq!(CliError::OutputClosed.exit_code(), 0);
    }

    #[test]
    fn escapes_in_what_the_server_says_do_not_reach_the_terminal() {
        let mut hostile = problem(422);
        hostile.detail = Some("\x1b]0;owned\x07".to_owned());
        let text = CliError::Refused(Box::new(hostile)).text();
        assert!(!text.contains('\x1b') && !text.contains('\x07'), "{text:?}");
    }
}
