//! What is wrong with a config file, for people (miette) and for programs ([`Place`]).

use std::fmt;

use hermez_api::Place;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use crate::yaml::{Mark, Node, YamlProblem};

/// What sort of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The file is larger than 1 MiB.
    TooLarge,
    /// The file is not UTF-8.
    NotText,
    /// The file is not YAML, has not exactly one document, or is beyond the limits of depth and
    /// number.
    NotYaml,
    /// `apiVersion` or `kind` is none of ours.
    UnknownKind,
    /// A field that the kind does not know.
    UnknownField,
    /// A value of another type than the field takes.
    WrongType,
    /// A field that must be there.
    MissingField,
    /// A number, length, count or word that the field does not take.
    OutOfRange,
    /// A name that Kubernetes does not take.
    IllegalName,
    /// A rule of the kind's definition is broken.
    Rule,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What sort.
    pub kind: ProblemKind,
    pub(crate) mark: Option<Mark>,
    /// The field, as a path such as `spec.loadbalancer.port`.
    pub field: Option<String>,
    /// What is wrong there.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// Something that is wrong with a resource and that no schema can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field, as a path such as `spec.schedule`.
    pub field: String,
    /// What is wrong there.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Violation {
    /// The violation as a problem of the file whose tree is `root`.
    pub(crate) fn at(self, root: &Node) -> Problem {
        Problem {
            kind: ProblemKind::Rule,
            mark: Some(root.locate(&self.field)),
            field: Some(self.field),
            message: self.message,
            hint: self.hint,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl From<YamlProblem> for Problem {
    fn from(problem: YamlProblem) -> Problem {
        Problem {
            kind: ProblemKind::NotYaml,
            mark: problem.mark,
            field: None,
            message: problem.message,
            hint: problem.hint,
        }
    }
}

/// Why a config file was refused: one or more problems, each with its place.
#[derive(Clone)]
pub struct ConfigError {
    file: String,
    problems: Vec<Problem>,
    source: NamedSource<String>,
}

impl ConfigError {
    pub(crate) fn new(file: &str, source: &str, problems: Vec<Problem>) -> ConfigError {
        let source = NamedSource::new(file, source.to_owned()).with_language("YAML");
        ConfigError {
            file: file.to_owned(),
            problems,
            source,
        }
    }

    /// What is wrong, in the order of the file; never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What is wrong, as the API tells it.
    pub fn places(&self) -> Vec<Place> {
        let place = |problem: &Problem| Place {
            file: self.file.clone(),
            line: problem.mark.map(|mark| mark.line),
            column: problem.mark.map(|mark| mark.column),
            field: problem.field.clone(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        };
        self.problems.iter().map(place).collect()
    }

    /// What to do about the first problem.
    pub fn hint(&self) -> Option<String> {
        self.problems
            .first()
            .and_then(|problem| problem.hint.clone())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.problems.first() else {
            return write!(f, "{} is not a config file", self.file);
        };
        write!(f, "{}", self.file)?;
        if let Some(mark) = first.mark {
            write!(f, ":{}:{}", mark.line, mark.column)?;
        }
        if let Some(field) = &first.field {
            write!(f, ": {field}")?;
        }
        write!(f, ": {}", first.message)?;
        match self.problems.len() {
            0 | 1 => Ok(()),
            2 => write!(f, " (and 1 more problem)"),
            more => write!(f, " (and {} more problems)", more - 1),
        }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the source: files may be long.
        f.debug_struct("ConfigError")
            .field("file", &self.file)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for ConfigError {}

impl Diagnostic for ConfigError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.hint()
            .map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.problems
            .iter()
            .any(|problem| problem.mark.is_some())
            .then_some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.problems.iter().filter_map(|problem| {
            let mark = problem.mark?;
            let words = match &problem.hint {
                Some(hint) => format!("{}; {hint}", problem.message),
                None => problem.message.clone(),
            };
            Some(LabeledSpan::new(
                Some(words),
                mark.start,
                mark.end - mark.start,
            ))
        })))
    }
}
