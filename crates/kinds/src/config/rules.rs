//! The rules of a kind's definition (CEL), asked before any cluster is.
//!
//! They are the API server's own rules, out of the same schema; only the place is added.

use kube::core::cel::{ErrorKind, Validator};
use serde_json::Value;

use crate::config::{Problem, ProblemKind};
use crate::kind::Resource;
use crate::yaml::Node;

/// The rules that `resource` breaks, each at its place in `root`.
pub(super) fn check(root: &Node, schema: &Value, resource: &Resource) -> Vec<Problem> {
    let Err(errors) = Validator::new().validate(schema, &resource.to_json(), None) else {
        return Vec::new();
    };
    errors
        .into_vec()
        .into_iter()
        // Only broken rules: whatever this evaluator cannot do is left to the API server.
        .filter(|error| error.kind == ErrorKind::ValidationFailure)
        .map(|error| {
            let (message, hint) = split(&error.message);
            Problem {
                kind: ProblemKind::Rule,
                mark: Some(root.locate(&error.field_path)),
                field: (!error.field_path.is_empty()).then(|| error.field_path.clone()),
                message,
                hint,
            }
        })
        .collect()
}

/// Our rules' messages say what is wrong, a colon, and what to write.
fn split(message: &str) -> (String, Option<String>) {
    match message.rsplit_once(": ") {
        Some((what, hint)) => (what.to_owned(), Some(hint.to_owned())),
        None => (message.to_owned(), None),
    }
}
