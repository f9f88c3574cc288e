//! Says why a build failed, from BuildKit's last words and the step that failed. Pure.

use crate::BuildError;
use crate::config::shorten;
use crate::progress::FailedStep;

/// Where the build was to go, for the words of an error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    /// BuildKit's address.
    pub address: &'a str,
    /// The registry.
    pub registry: &'a str,
    /// Path of the Dockerfile from the repository's root.
    pub dockerfile: &'a str,
}

/// Finds the one error that says it best. `words`: the lines of `buildctl` that are no account of
/// progress; the last begins with `error:`.
pub(crate) fn diagnose(words: &str, failed: Option<FailedStep>, around: Around<'_>) -> BuildError {
    let message = words
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("error: "))
        .or_else(|| words.lines().rev().find(|line| !line.trim().is_empty()))
        .unwrap_or("buildctl ended without a word")
        .trim();
    let message = message.strip_prefix("failed to solve: ").unwrap_or(message);
    if is_buildkit_gone(message) {
        return BuildError::BuildKitUnavailable {
            address: around.address.to_owned(),
            message: shorten(last_part(message)),
        };
    }
    if let Some((_, rest)) = message.split_once("failed to push ") {
        let reason = rest.split_once(": ").map_or(rest, |(_, reason)| reason);
        return BuildError::RegistryUnavailable {
            registry: around.registry.to_owned(),
            message: shorten(reason),
        };
    }
    if let Some((_, rest)) = message.split_once("dockerfile parse error on line ") {
        let (line, what) = rest.split_once(": ").unwrap_or(("", rest));
        return BuildError::DockerfileInvalid {
            line: line.parse().ok(),
            message: shorten(what),
        };
    }
    if message.contains("failed to read dockerfile") && message.contains("no such file") {
        return BuildError::DockerfileMissing {
            path: around.dockerfile.to_owned(),
        };
    }
    if let Some((_, rest)) = message.split_once("failed to resolve source metadata for ") {
        let (image, reason) = image_and_reason(rest);
        return BuildError::BaseImage {
            image,
            message: reason,
        };
    }
    match failed {
        Some(step) => of_step(step),
        // BuildKit refused the Dockerfile before any step ran; it prints the place above.
        None if words.contains("--------------------") => BuildError::DockerfileInvalid {
            line: place(words),
            message: shorten(message),
        },
        None if message.contains("target stage") || message.contains("the Dockerfile") => {
            BuildError::DockerfileInvalid {
                line: None,
                message: shorten(message),
            }
        }
        None => BuildError::Other {
            message: shorten(message),
        },
    }
}

fn of_step(step: FailedStep) -> BuildError {
    let exit_code = step
        .error
        .rsplit_once("exit code: ")
        .and_then(|(_, code)| code.trim().parse().ok());
    let message = match exit_code {
        Some(_) => "the command did not succeed".to_owned(),
        None => match missing_file(&step.error) {
            Some(file) => format!("{file} is not in the build context"),
            None => shorten(&step.error),
        },
    };
    BuildError::Failed {
        step: step.name,
        exit_code,
        message,
        last_lines: step.last_lines,
    }
}

/// `failed to calculate checksum of ref …: "/file": not found` names the file.
fn missing_file(error: &str) -> Option<&str> {
    let rest = error.strip_suffix(": not found")?;
    let (before, _) = rest.strip_suffix('"')?.rsplit_once('"')?;
    before
        .contains("failed to calculate checksum")
        .then(|| &rest[before.len()..])
}

/// `docker.io/library/x:1: docker.io/library/x:1: not found` is an image and a reason.
fn image_and_reason(rest: &str) -> (String, String) {
    match rest.split_once(": ") {
        Some((image, reason)) => {
            let reason = reason
                .strip_prefix(image)
                .map_or(reason, |r| r.trim_start_matches(": "));
            (shorten(image), shorten(reason))
        }
        None => (shorten(rest), "it cannot be found".to_owned()),
    }
}

fn is_buildkit_gone(message: &str) -> bool {
    message.contains("failed to list workers")
        || message.contains("listing workers for Build")
        || message.contains("code = Unavailable")
        || message.starts_with("Unavailable: ")
        || message.contains("error reading from server")
        || message.contains("failed to dial")
}

/// The innermost cause of a chain of causes.
fn last_part(message: &str) -> &str {
    match message.rfind("dial ") {
        Some(at) => message[at..].trim_end_matches('"'),
        None => message,
    }
}

/// The line of `Dockerfile:12`, which BuildKit prints above the lines that it quotes.
fn place(words: &str) -> Option<u32> {
    let (above, _) = words.split_once("--------------------")?;
    let line = above.lines().rev().find(|line| !line.trim().is_empty())?;
    line.rsplit_once(':')?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AROUND: Around<'_> = Around {
        address: "unix:///b.sock",
        registry: "127.0.0.1:5000",
        dockerfile: "web/Dockerfile",
    };

    fn step(error: &str) -> FailedStep {
        FailedStep {
            name: "[2/2] RUN x".into(),
            error: error.into(),
            last_lines: vec!["last".into()],
        }
    }

    fn check(words: &str, failed: Option<FailedStep>, expect: &BuildError) {
        let error = diagnose(words, failed, AROUND);
        assert_eq!(&error, expect, "{words}");
        assert!(error.hint().is_some(), "{error}");
    }

    #[test]
    fn a_command_that_fails() {
        check(
            "Dockerfile:2\n--------------------\n   2 | >>> RUN x\n--------------------\nerror: failed to solve: process \"/bin/sh -c x\" did not complete successfully: exit code: 3\n",
            Some(step(
                "process \"/bin/sh -c x\" did not complete successfully: exit code: 3",
            )),
            &BuildError::Failed {
                step: "[2/2] RUN x".into(),
                exit_code: Some(3),
                message: "the command did not succeed".into(),
                last_lines: vec!["last".into()],
            },
        );
    }

    #[test]
    fn a_file_that_is_not_there() {
        let error = "failed to calculate checksum of ref vf1::4ev: \"/missing\": not found";
        check(
            &format!("error: failed to solve: failed to compute cache key: {error}"),
            Some(step(error)),
            &BuildError::Failed {
                step: "[2/2] RUN x".into(),
                exit_code: None,
                message: "\"/missing\" is not in the build context".into(),
                last_lines: vec!["last".into()],
            },
        );
    }

    #[test]
    fn a_dockerfile_that_is_none() {
        check(
            "Dockerfile:2\n--------------------\n   2 | >>> RUNN echo\n--------------------\nerror: failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)\n",
            None,
            &BuildError::DockerfileInvalid {
                line: Some(2),
                message: "unknown instruction: RUNN (did you mean RUN?)".into(),
            },
        );
        check(
            "Dockerfile:3\n--------------------\n   3 | >>> COPY --from=x a b\n--------------------\nerror: failed to solve: bad flag\n",
            None,
            &BuildError::DockerfileInvalid {
                line: Some(3),
                message: "bad flag".into(),
            },
        );
        check(
            "error: failed to solve: target stage \"zzz\" could not be found\n",
            None,
            &BuildError::DockerfileInvalid {
                line: None,
                message: "target stage \"zzz\" could not be found".into(),
            },
        );
        check(
            "error: failed to solve: the Dockerfile cannot be empty\n",
            None,
            &BuildError::DockerfileInvalid {
                line: None,
                message: "the Dockerfile cannot be empty".into(),
            },
        );
        check(
            "error: failed to solve: failed to read dockerfile: open Dockerfile: no such file or directory\n",
            None,
            &BuildError::DockerfileMissing {
                path: "web/Dockerfile".into(),
            },
        );
    }

    #[test]
    fn a_base_image_that_cannot_be_had() {
        check(
            "error: failed to solve: nope:1: failed to resolve source metadata for docker.io/library/nope:1: docker.io/library/nope:1: not found\n",
            Some(step("docker.io/library/nope:1: not found")),
            &BuildError::BaseImage {
                image: "docker.io/library/nope:1".into(),
                message: "not found".into(),
            },
        );
    }

    #[test]
    fn a_registry_that_is_down() {
        check(
            "error: failed to solve: failed to push 127.0.0.1:5000/x:1: failed to do request: Head \"http://127.0.0.1:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused\n",
            Some(step("failed to push …")),
            &BuildError::RegistryUnavailable {
                registry: "127.0.0.1:5000".into(),
                message: "failed to do request: Head \"http://127.0.0.1:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused".into(),
            },
        );
    }

    #[test]
    fn a_buildkit_that_is_down() {
        check(
            "error: listing workers for Build: failed to list workers: Unavailable: connection error: desc = \"transport: Error while dialing: dial unix /nope.sock: connect: no such file or directory\"\n",
            None,
            &BuildError::BuildKitUnavailable {
                address: "unix:///b.sock".into(),
                message: "dial unix /nope.sock: connect: no such file or directory".into(),
            },
        );
        let error = diagnose(
            "error: failed to solve: Unavailable: error reading from server: EOF",
            None,
            AROUND,
        );
        assert!(error.is_transient(), "{error:?}");
    }

    #[test]
    fn the_rest_keeps_its_words() {
        let error = diagnose(
            "error: failed to solve: \u{1b}[1mno space left\n",
            None,
            AROUND,
        );
        assert_eq!(
            error,
            BuildError::Other {
                message: " [1mno space left".into()
            }
        );
        let silent = diagnose("", None, AROUND);
        assert!(silent.to_string().contains("without a word"));
    }
}
