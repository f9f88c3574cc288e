//! Words for what Kubernetes says at length.

use super::FailureCause;
use crate::text::clip;

/// Why an image cannot be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageTrouble {
    /// Why, as a clause.
    pub text: String,
    /// Whether it may mend itself.
    pub may_mend: bool,
    /// Whether the registry does not answer.
    pub is_outage: bool,
}

/// Reads what the kubelet says about an image that it cannot pull.
pub(super) fn image_trouble(reason: &str, message: &str) -> ImageTrouble {
    let says = |words: &[&str]| {
        let message = message.to_ascii_lowercase();
        words.iter().any(|word| message.contains(word))
    };
    let certain = |text: &str| ImageTrouble {
        text: text.to_owned(),
        may_mend: false,
        is_outage: false,
    };
    if reason == "InvalidImageName" {
        return certain("its name is not a legal image reference");
    }
    if reason == "ErrImageNeverPull" {
        return certain("it is not on the node, and the pull policy is Never");
    }
    if says(&["manifest unknown", "not found", "notfound", "name unknown"]) {
        return certain("manifest unknown");
    }
    if says(&[
        "unauthorized",
        "authorization failed",
        "access denied",
        "403 forbidden",
        "401 ",
    ]) {
        return certain("the registry does not allow it");
    }
    if says(&["no match for platform"]) {
        return certain("it is not built for this kind of node");
    }
    let unreachable = [
        "connection refused",
        "no such host",
        "i/o timeout",
        "deadline exceeded",
        "no route to host",
        "connection reset",
        "502 bad gateway",
        "503 service unavailable",
        "too many requests",
    ];
    if says(&unreachable) {
        return ImageTrouble {
            text: "the registry does not answer".to_owned(),
            may_mend: true,
            is_outage: true,
        };
    }
    ImageTrouble {
        text: last_words(message),
        may_mend: true,
        is_outage: false,
    }
}

/// The end of a chain of causes: `a: b: c` → `c`, unless that is a fragment.
fn last_words(message: &str) -> String {
    let message = message.rsplit("desc = ").next().unwrap_or(message).trim();
    let last = message.rsplit(": ").next().unwrap_or(message);
    let words = if last.len() < 8 { message } else { last };
    match words.trim_matches(['"', '.', ' ']) {
        "" => "no reason was given".to_owned(),
        words => clip(words, 300),
    }
}

/// What kind of refusal a message of the API server is.
pub(super) fn refusal_cause(message: &str) -> FailureCause {
    let message = message.to_ascii_lowercase();
    if message.contains("exceeded quota") || message.contains("must specify limits") {
        FailureCause::Quota
    } else if message.contains("error looking up service account") {
        FailureCause::ConfigMissing
    } else {
        FailureCause::Admission
    }
}

/// What to do about a refusal.
pub(super) fn refusal_hint(cause: FailureCause, message: &str) -> &'static str {
    match cause {
        FailureCause::Quota if message.contains("must specify") => {
            "The namespace's ResourceQuota wants it said: write the resources that the message names into the config file, commit, and deploy that commit."
        }
        FailureCause::Quota => {
            "Ask for less (replicas, requests, limits), or have the namespace's ResourceQuota raised."
        }
        FailureCause::ConfigMissing => {
            "Make the service account, or name another one in the config file."
        }
        _ => "Change the config file as the message says, commit, and deploy that commit.",
    }
}

/// Whether a refusal of pods may end without anybody changing anything: an old pod may have to go
/// first, or a service account to come.
pub(super) fn refusal_may_mend(message: &str) -> bool {
    let cause = refusal_cause(message);
    matches!(cause, FailureCause::Quota | FailureCause::ConfigMissing)
        || message.contains("failed calling webhook")
        || message.contains("timed out")
}

/// Which probe did not pass, and what it was answered, from the kubelet's event.
pub(super) fn probe(message: &str) -> (String, String) {
    let (probe, answer) = match message.split_once(" failed: ") {
        Some((probe, answer)) if probe.ends_with(" probe") => (probe.to_lowercase(), answer.trim()),
        _ => ("probe".to_owned(), message.trim()),
    };
    let answer = match answer.strip_prefix("HTTP probe failed with statuscode: ") {
        Some(status) => format!("HTTP status {status}"),
        // `Get "http://10.0.0.1:80/": dial tcp 10.0.0.1:80: connect: connection refused`
        None if answer.contains("connection refused") => "connection refused".to_owned(),
        None if answer.contains("deadline exceeded") => "no answer in time".to_owned(),
        None => clip(answer, 300),
    };
    (probe, answer)
}

/// The name of a signal that ends programs.
pub(super) fn signal(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

/// Which of the pods: "2 of 3 pods are ready; the third …".
///
/// `singular` and `plural` are the predicates of one pod and of several.
pub(super) fn sentence(
    ready: i32,
    desired: i32,
    troubled: i32,
    singular: &str,
    plural: &str,
) -> String {
    let missing = desired - ready;
    // Of a job there are pods of earlier tries too.
    let troubled = troubled.min(missing.max(1));
    if desired == 1 && troubled == 1 {
        return format!("The pod {singular}");
    }
    let counts = counts(ready, desired);
    match troubled {
        1 if missing == 1 => format!("{counts}; the {} {singular}", ordinal(desired)),
        1 => format!("{counts}; one {singular}"),
        n if n >= missing && ready == 0 => format!("{counts}; they {plural}"),
        n if n >= missing => format!("{counts}; the other {n} {plural}"),
        n => format!("{counts}; {n} {plural}"),
    }
}

/// "2 of 3 pods are ready".
pub(crate) fn counts(ready: i32, desired: i32) -> String {
    match (ready, desired) {
        (_, 0) => "No pods are wanted".to_owned(),
        (0, 1) => "The pod is not ready".to_owned(),
        (1, 1) => "The pod is ready".to_owned(),
        (1, desired) => format!("1 of {desired} pods is ready"),
        (ready, desired) => format!("{ready} of {desired} pods are ready"),
    }
}

fn ordinal(number: i32) -> &'static str {
    const WORDS: [&str; 10] = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth",
    ];
    usize::try_from(number - 1)
        .ok()
        .and_then(|index| WORDS.get(index).copied())
        .unwrap_or("last")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_pods() {
        let say =
            |ready, desired, troubled| sentence(ready, desired, troubled, "is bad", "are bad");
        assert_eq!(say(0, 1, 1), "The pod is bad");
        assert_eq!(say(2, 3, 1), "2 of 3 pods are ready; the third is bad");
        assert_eq!(say(1, 2, 1), "1 of 2 pods is ready; the second is bad");
        assert_eq!(say(1, 3, 1), "1 of 3 pods is ready; one is bad");
        assert_eq!(say(1, 3, 2), "1 of 3 pods is ready; the other 2 are bad");
        assert_eq!(say(0, 3, 3), "0 of 3 pods are ready; they are bad");
        assert_eq!(say(0, 4, 2), "0 of 4 pods are ready; 2 are bad");
        assert_eq!(say(0, 1, 3), "The pod is bad");
        assert_eq!(say(29, 30, 1), "29 of 30 pods are ready; the last is bad");
    }

    #[test]
    fn reads_what_the_kubelet_says_about_images() {
        for (reason, message, text, may_mend) in [
            (
                "ImagePullBackOff",
                "Back-off pulling image \"r/a@sha256:0\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \"r/a@sha256:0\": failed to resolve reference \"r/a@sha256:0\": r/a@sha256:0: not found",
                "manifest unknown",
                false,
            ),
            (
                "ErrImagePull",
                "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
                "the registry does not allow it",
                false,
            ),
            (
                "ErrImagePull",
                "dial tcp 127.0.0.1:5000: connect: connection refused",
                "the registry does not answer",
                true,
            ),
            (
                "InvalidImageName",
                "couldn't parse image name \"A\"",
                "its name is not a legal image reference",
                false,
            ),
            (
                "ErrImagePull",
                "rpc error: code = Unknown desc = a: disk is full today",
                "disk is full today",
                true,
            ),
            ("ErrImagePull", "", "no reason was given", true),
        ] {
            let trouble = image_trouble(reason, message);
            assert_eq!(
                (trouble.text.as_str(), trouble.may_mend),
                (text, may_mend),
                "{message}"
            );
        }
    }

    #[test]
    fn reads_what_the_kubelet_says_about_probes() {
        for (message, probe_name, answer) in [
            (
                "Readiness probe failed: HTTP probe failed with statuscode: 503",
                "readiness probe",
                "HTTP status 503",
            ),
            (
                "Liveness probe failed: Get \"http://10.0.0.1:80/\": dial tcp 10.0.0.1:80: connect: connection refused",
                "liveness probe",
                "connection refused",
            ),
            ("Startup probe failed: no\n", "startup probe", "no"),
            ("something else", "probe", "something else"),
        ] {
            assert_eq!(probe(message), (probe_name.to_owned(), answer.to_owned()));
        }
    }

    #[test]
    fn refusals_have_a_cause() {
        for (message, cause, may_mend) in [
            (
                "pods \"a\" is forbidden: exceeded quota: small, requested: pods=1",
                FailureCause::Quota,
                true,
            ),
            (
                "pods \"a\" is forbidden: error looking up service account a/b: serviceaccount \"b\" not found",
                FailureCause::ConfigMissing,
                true,
            ),
            (
                "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\"",
                FailureCause::Admission,
                false,
            ),
            (
                "Internal error occurred: failed calling webhook \"x\"",
                FailureCause::Admission,
                true,
            ),
        ] {
            assert_eq!(refusal_cause(message), cause);
            assert_eq!(refusal_may_mend(message), may_mend);
        }
    }
}
