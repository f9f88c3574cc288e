//! What Git's complaints mean. Pure: text in, error out.

use crate::SourceError;

/// Longest piece of Git's words that goes into an error, in characters.
const MAX_CHARS: usize = 300;

/// Reads why a fetch failed from what Git said. `authenticated`: a credential was given.
pub(crate) fn classify(url: &str, stderr: &str, authenticated: bool) -> SourceError {
    let url = url.to_owned();
    let has = |needle: &str| stderr.contains(needle);
    let status = |codes: &[u16]| {
        codes.iter().any(|code| {
            has(&format!("requested URL returned error: {code}")) || has(&format!("HTTP {code} "))
        })
    };
    if has("could not read Username")
        || has("could not read Password")
        || has("Authentication failed")
        || status(&[401, 403])
    {
        if authenticated {
            SourceError::AuthenticationFailed { url }
        } else {
            SourceError::AuthenticationRequired { url }
        }
    } else if status(&[404, 410])
        || (has("repository '") && has("not found"))
        || has("Repository not found")
    {
        SourceError::NotFound { url }
    } else if status(&[301, 302, 303, 307, 308])
        || has("unable to update url base from redirection")
    {
        SourceError::Moved { url }
    } else if has("is this a git repository?")
        || has("not valid: could not determine hash algorithm")
        || has("invalid server response")
        || has("dumb http transport does not support")
        || has("bad line length character")
        || has("protocol error")
    {
        SourceError::NotGit { url }
    } else if has("Operation too slow") {
        SourceError::Unreachable {
            url,
            reason: "it went silent in the middle of its answer".to_owned(),
        }
    } else if has("Timeout was reached") || has("timed out") {
        SourceError::Unreachable {
            url,
            reason: "it does not answer in time".to_owned(),
        }
    } else if has("unable to access") || has("RPC failed") || has("unexpected disconnect") {
        SourceError::Unreachable {
            url,
            reason: reason(stderr),
        }
    } else {
        SourceError::Git {
            action: "fetch",
            message: last_words(stderr),
        }
    }
}

/// The part behind the last colon pair of "fatal: unable to access '…': reason".
fn reason(stderr: &str) -> String {
    let line = stderr
        .lines()
        .find(|line| line.contains("unable to access"))
        .or_else(|| stderr.lines().find(|line| line.contains("RPC failed")));
    match line {
        Some(line) => {
            let text = line.split_once("': ").map_or(line, |(_, rest)| rest);
            clean(
                text.trim_start_matches("error: ")
                    .trim_start_matches("fatal: "),
            )
        }
        None => last_words(stderr),
    }
}

/// The last line that says something, fit for an error message.
pub(crate) fn last_words(stderr: &str) -> String {
    let line = stderr
        .lines()
        .rev()
        .find(|line| line.starts_with("fatal:") || line.starts_with("error:"))
        .or_else(|| stderr.lines().rev().find(|line| !line.trim().is_empty()))
        .unwrap_or("it said nothing");
    clean(
        line.trim_start_matches("fatal: ")
            .trim_start_matches("error: "),
    )
}

/// Without control characters, and short.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://git.example.com/team/app";

    fn check(stderr: &str, authenticated: bool, expect: &SourceError) {
        assert_eq!(&classify(URL, stderr, authenticated), expect, "{stderr}");
    }

    fn url() -> String {
        URL.to_owned()
    }

    #[test]
    fn what_git_says_becomes_one_clear_error() {
        check(
            "fatal: could not read Username for 'https://git.example.com': terminal prompts disabled\n",
            false,
            &SourceError::AuthenticationRequired { url: url() },
        );
        check(
            "fatal: could not read Username for 'https://git.example.com': terminal prompts disabled\n",
            true,
            &SourceError::AuthenticationFailed { url: url() },
        );
        check(
            "fatal: unable to access 'https://git.example.com/team/app/': The requested URL returned error: 403\n",
            true,
            &SourceError::AuthenticationFailed { url: url() },
        );
        check(
            "fatal: repository 'https://git.example.com/team/app/' not found\n",
            false,
            &SourceError::NotFound { url: url() },
        );
        check(
            "remote: Repository not found.\nfatal: unable to access 'x': The requested URL returned error: 404\n",
            false,
            &SourceError::NotFound { url: url() },
        );
        check(
            "fatal: unable to access 'https://git.example.com/team/app/': The requested URL returned error: 301\n",
            false,
            &SourceError::Moved { url: url() },
        );
        check(
            "fatal: unable to access 'https://nowhere.invalid/x/': Could not resolve host: nowhere.invalid\n",
            false,
            &SourceError::Unreachable {
                url: url(),
                reason: "Could not resolve host: nowhere.invalid".to_owned(),
            },
        );
        check(
            "error: RPC failed; curl 28 Operation too slow. Less than 1 bytes/sec transferred the last 120 seconds\nfatal: expected 'packfile'\n",
            false,
            &SourceError::Unreachable {
                url: url(),
                reason: "it went silent in the middle of its answer".to_owned(),
            },
        );
        check(
            "fatal: https://git.example.com/team/app/info/refs not valid: is this a git repository?\n",
            false,
            &SourceError::NotGit { url: url() },
        );
    }

    #[test]
    fn the_rest_keeps_gits_last_words_without_control_characters() {
        let error = classify(
            URL,
            "warning: x\nfatal: \u{1b}[31mdisk full\u{7}\n\n",
            false,
        );
        assert_eq!(
            error,
            SourceError::Git {
                action: "fetch",
                message: "[31mdisk full".to_owned()
            }
        );
    }
}
