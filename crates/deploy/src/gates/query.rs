//! What the query of a check is asked about: the pods of one version, where it says so. Pure.
//!
//! `$pods` in a query stands for the names of these pods as a regular expression (RE2, which
//! Prometheus anchors at both ends), `$namespace` for their namespace. The names are whole ones, as
//! the watches know them: a workload's own pods never match its canary's, whose names begin alike.

use std::collections::BTreeSet;

use hermez_api::MetricCheck;

/// Stands for the names of the pods.
const PODS: &str = "$pods";
/// Stands for their namespace.
const NAMESPACE: &str = "$namespace";
/// Most characters of a name in Kubernetes.
const NAME_MAX: usize = 253;

/// The pods of one version.
#[derive(Debug, Clone)]
pub(super) struct About<'a> {
    /// Their namespace.
    pub namespace: &'a str,
    /// Their names.
    pub pods: BTreeSet<&'a str>,
}

/// Whether a query speaks of the pods of a version.
fn names_pods(query: &str) -> bool {
    query.contains(PODS)
}

/// Whether a canary is compared by this check with the pods beside it, and not with what was before.
pub(super) fn is_side_by_side(check: &MetricCheck) -> bool {
    check.relative_to_old_percent.is_some() && names_pods(&check.query)
}

/// Whether each `$pods` stands where a regular expression does: in a string after `=~` or `!~`.
pub(super) fn is_in_place(query: &str) -> bool {
    query.match_indices(PODS).all(|(at, _)| {
        let opens = query[..at].rfind(['"', '\'', '`']);
        opens.is_some_and(|opens| query[..opens].trim_end().ends_with('~'))
    })
}

/// Whether Kubernetes could have something of this name. What it could not is left out, so that
/// nothing that is filled in ends the string or means more than itself.
fn is_name(text: &str) -> bool {
    let known =
        |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, '-' | '.');
    !text.is_empty() && text.len() <= NAME_MAX && text.chars().all(known)
}

/// A regular expression for these names and no others, the same for each of `PromQL`'s quotes: it has
/// no backslash. None when there is no name.
fn pattern(pods: &BTreeSet<&str>) -> Option<String> {
    let names = pods.iter().filter(|name| is_name(name));
    let names: Vec<String> = names.map(|name| name.replace('.', "[.]")).collect();
    (!names.is_empty()).then(|| format!("(?:{})", names.join("|")))
}

/// The query as Prometheus is asked it; none when it speaks of pods and there are none.
pub(super) fn fill(query: &str, about: &About<'_>) -> Option<String> {
    let mut filled = query.to_owned();
    if query.contains(NAMESPACE) {
        let namespace = Some(about.namespace).filter(|it| is_name(it))?;
        filled = filled.replace(NAMESPACE, namespace);
    }
    if names_pods(query) {
        filled = filled.replace(PODS, &pattern(&about.pods)?);
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn about<'a>(pods: &[&'a str]) -> About<'a> {
        About {
            namespace: "team",
            pods: pods.iter().copied().collect(),
        }
    }

    #[test]
    fn a_query_is_asked_about_the_pods_of_one_version() {
        let query = r#"sum(rate(e{namespace="$namespace",pod=~"$pods"}[1m])) / sum(rate(r{pod=~"$pods"}[1m]))"#;
        let pods = about(&["hello-2", "hello-1", "hello-2"]);
        assert_eq!(
            fill(query, &pods).as_deref(),
            Some(
                r#"sum(rate(e{namespace="team",pod=~"(?:hello-1|hello-2)"}[1m])) / sum(rate(r{pod=~"(?:hello-1|hello-2)"}[1m]))"#
            )
        );
        assert_eq!(fill(query, &about(&[])), None, "nobody to ask about");
        let plain = r#"sum(rate(e{pod=~"hello-.*$"}[1m]))"#;
        assert_eq!(fill(plain, &about(&[])).as_deref(), Some(plain));
    }

    #[test]
    fn the_old_versions_pods_are_not_the_canarys() {
        let old = ["hello-5d8f-abcde", "hello-5d8f-fghij"];
        let canary = ["hello-canary-77c9-abcde"];
        let matches = |pods: &[&str], name: &str| {
            let pattern = pattern(&about(pods).pods).expect("pods");
            // As Prometheus anchors it.
            let pattern = Regex::new(&format!("^(?:{pattern})$")).expect("a pattern");
            pattern.is_match(name)
        };
        for name in old {
            assert!(matches(&old, name) && !matches(&canary, name), "{name}");
        }
        for name in canary {
            assert!(matches(&canary, name) && !matches(&old, name), "{name}");
        }
        for other in ["hello-5d8f-abcdef", "xhello-5d8f-abcde", "hello-5d8f-"] {
            assert!(!matches(&old, other), "{other}");
        }
        assert!(matches(&["a.b"], "a.b") && !matches(&["a.b"], "axb"));
    }

    #[test]
    fn no_name_means_more_than_itself() {
        let long = "a".repeat(254);
        let hostile = [
            "",
            ".*|x",
            "a\"} or vector(0) #",
            "a`",
            "a'",
            "a\\",
            "a\nb",
            "$pods",
            "(a",
            "ä",
            long.as_str(),
        ];
        assert_eq!(fill(r#"up{pod=~"$pods"}"#, &about(&hostile)), None);
        let mut some = hostile.to_vec();
        some.push("hello-1");
        let filled = fill(r#"up{pod=~"$pods"}"#, &about(&some));
        assert_eq!(filled.as_deref(), Some(r#"up{pod=~"(?:hello-1)"}"#));
        let elsewhere = About {
            namespace: "a\"} or vector(0) #",
            ..about(&["hello-1"])
        };
        assert_eq!(fill(r#"up{namespace="$namespace"}"#, &elsewhere), None);
    }

    #[test]
    fn it_stands_for_a_regular_expression_and_nothing_else() {
        for right in [
            "up",
            r#"up{pod=~"$pods"}"#,
            "up{pod=~'$pods'} / up{pod !~ `$pods`}",
            r#"up{id=~"$namespace/$pods",job="x"}"#,
        ] {
            assert!(is_in_place(right), "{right}");
        }
        for wrong in [
            r#"up{pod="$pods"}"#,
            r#"up{pod!="$pods"}"#,
            "sum($pods)",
            r#"up{job=~"x"} + $pods"#,
            r#"up{pod=~"$pods"} / up{pod="$pods"}"#,
        ] {
            assert!(!is_in_place(wrong), "{wrong}");
        }
    }

    proptest! {
        /// Whatever the pods are called, the string that they are filled in stays one string.
        #[test]
        fn a_filled_string_stays_a_string(names in prop::collection::vec(".*|[a-z0-9.-]{1,9}", 0..5)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if let Some(filled) = fill("$pods", &about(&names)) {
                let known = |it: char| it.is_ascii_alphanumeric() || "-.[]|(?:)".contains(it);
                prop_assert!(filled.chars().all(known), "{}", filled);
                let pattern = Regex::new(&format!("^(?:{filled})$")).expect("a pattern");
                for name in names {
                    prop_assert_eq!(pattern.is_match(name), is_name(name));
                }
            }
        }
    }
}
