//! Names of containers. Kubernetes would refuse an illegal one too, but only when pods are made.

use super::{Problem, ProblemKind, is_label, suggestion};
use crate::yaml::{Node, Yaml, shorten};

/// Keys under which the config file lists containers, in any of its kinds.
const LISTS: [&str; 3] = ["containers", "initcontainers", "initContainers"];

/// What is wrong with the names of containers anywhere in the file.
pub(super) fn check(root: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(root, "", &mut problems);
    problems
}

fn walk(node: &Node, path: &str, problems: &mut Vec<Problem>) {
    let Yaml::Map(entries) = &node.value else {
        return;
    };
    for (key, value) in entries {
        let path = if path.is_empty() {
            key.name.clone()
        } else {
            format!("{path}.{}", key.name)
        };
        match &value.value {
            Yaml::List(items) if LISTS.contains(&key.name.as_str()) => {
                let look = |(index, item)| problem(item, format!("{path}[{index}].name"));
                problems.extend(items.iter().enumerate().filter_map(look));
            }
            _ => walk(value, &path, problems),
        }
    }
}

fn problem(container: &Node, field: String) -> Option<Problem> {
    let node = container.get("name")?;
    let name = node.text().filter(|name| !is_label(name))?;
    let hint = suggestion(name).filter(|name| is_label(name));
    Some(Problem {
        kind: ProblemKind::IllegalName,
        mark: Some(node.mark),
        field: Some(field),
        message: format!(
            "\"{}\" is not a legal name of a container: at most 63 characters of a-z, 0-9 and '-', with a letter or digit at both ends",
            shorten(name)
        ),
        hint: hint.map(|name| format!("write name: {name}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(spec: &str) -> Vec<String> {
        let root = crate::yaml::parse(spec).unwrap();
        let say = |problem: Problem| {
            let (field, hint) = (problem.field.unwrap(), problem.hint.unwrap_or_default());
            format!("{field} {} | {hint}", problem.message)
        };
        check(&root).into_iter().map(say).collect()
    }

    #[test]
    fn a_name_that_kubernetes_would_refuse_is_refused_with_a_legal_one() {
        let said = said("spec: {template: {spec: {containers: [{name: App_1}, {name: ''}]}}}");
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].starts_with("spec.template.spec.containers[0].name \"App_1\" is not")
                && said[0].ends_with("| write name: app-1"),
            "{said:?}"
        );
    }

    #[test]
    fn legal_names_pass() {
        let spec = "spec: {initcontainers: [{name: a}], containers: [{name: b-1}, {image: c}]}";
        assert_eq!(said(spec), Vec::<String>::new());
    }
}
