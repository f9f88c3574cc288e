//! What must not stand in a receipt: secrets, by their value, by their name and by their look. Pure.
//!
//! Known values are those that the manifests give to names that promise a secret. Values that a pod
//! takes from a Secret are not known here (Hermez may not read Secrets); they are masked where their
//! name or their look gives them away.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::{Captures, Regex, RegexBuilder};
use serde_json::Value;

/// What stands in the place of a secret.
pub const MASK: &str = "***";
/// Shorter values are not masked wherever they occur: they would blacken half of every log.
const MIN_VALUE_BYTES: usize = 4;
/// Shorter lines of a value of several lines are not masked by themselves.
const MIN_LINE_BYTES: usize = 8;
/// Most known values.
const MAX_VALUES: usize = 1000;
/// Deepest nesting that is looked into.
const MAX_DEPTH: usize = 64;

/// Parts of names that promise a secret.
const SECRET: &str = r"(?:passw(?:or)?d|passwd|passphrase|secret|token|credential|api[_.-]?key|access[_.-]?key|private[_.-]?key|signing[_.-]?key|encryption[_.-]?key|master[_.-]?key|auth[_.-]?key|session[_.-]?id|authorization|cookie|dsn)";
/// Ends of names that tell of a secret and hold none.
const HARMLESS_ENDS: [&str; 15] = [
    "name", "ref", "path", "file", "dir", "mount", "count", "ttl", "seconds", "expiry", "expires",
    "enabled", "type", "length", "version",
];

/// Most bytes of what one pattern remembers of texts that it has searched: what is longer than a few
/// lines is rare here, and a server keeps the patterns for good.
const REMEMBERED_BYTES: usize = 128 << 10;

/// A pattern that every author of this file has tried. Classes are those of ASCII: `\w` and `\b` of
/// Unicode cost hundreds of kilobytes each.
fn pattern(text: &str) -> Regex {
    RegexBuilder::new(text)
        .dfa_size_limit(REMEMBERED_BYTES)
        .build()
        .unwrap_or_else(|error| unreachable!("a pattern of ours: {error}"))
}

static SECRET_NAME: LazyLock<Regex> = LazyLock::new(|| pattern(&format!("(?i){SECRET}")));
static TERMINAL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)"));
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    let value = r#"(\\+"[^"]*"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&"'})\]]+)"#;
    pattern(&format!(
        r#"(?i)([a-z0-9_.-]*{SECRET}[a-z0-9_.-]*)(\\*["']?[ \t]*(?:=>|:=|[:=])[ \t]*){value}"#
    ))
});
static OPTION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"(?i)(--?[a-z0-9-]*{SECRET}[a-z0-9-]*)[ \t]+[^\s-]\S*"
    ))
});

/// What gives itself away by its look, and what stays of it.
static LOOKS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        // Headers: all of the value, whatever its scheme.
        (
            r#"(?i)((?:proxy-)?authorization\\*["']?[ \t]*[:=][ \t]*\\*["']?)(?:(?:bearer|basic|token|digest|negotiate|aws4-hmac-sha256)[ \t]+)?[^\s"'\\},]+"#,
            "${1}***",
        ),
        (
            r#"(?i)((?:set-)?cookie\\*["']?[ \t]*[:=][ \t]*\\*["']?)[^"'\\\r\n]+"#,
            "${1}***",
        ),
        (r"(?i)(?-u:\b)(bearer|basic)[ \t]+[a-z0-9._~+/=-]{16,}", "${1} ***"),
        // Credentials in URLs.
        (r#"([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/?\#"'<>]+@"#, "${1}***@"),
        // Tokens whose makers gave them a shape.
        (r"(?-u:\b)eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*", "***"),
        (r"(?-u:\b)(?:gh[pousr]_[0-9A-Za-z_]{20,}|github_pat_[0-9A-Za-z_]{20,})", "***"),
        (r"(?-u:\b)(?:glpat-|xox[abeprs]-|hermez_|sk_live_|rk_live_|sk-)[0-9A-Za-z_-]{16,}", "***"),
        (r"(?-u:\b)(?:AKIA|ASIA)[0-9A-Z]{16}(?-u:\b)", "***"),
        (r"(?-u:\b)AIza[0-9A-Za-z_-]{30,}", "***"),
        (
            r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)",
            "***",
        ),
    ]
    .into_iter()
    .map(|(text, rest)| (pattern(text), rest))
    .collect()
});

/// Whether what has this name is a secret.
pub fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    SECRET_NAME.is_match(name) && !HARMLESS_ENDS.iter().any(|end| lower.ends_with(end))
}

/// A text without secrets that its look or the names in it give away, and without control
/// characters. Masking it again changes nothing.
pub fn mask(text: &str) -> String {
    Masks::default().mask(text)
}

/// The secrets that are known.
#[derive(Debug, Clone, Default)]
pub struct Masks {
    /// Longest first, so that no part of one is left.
    values: Vec<String>,
}

impl Masks {
    /// The secrets that stand in these documents.
    pub fn of<'a>(documents: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut found = BTreeSet::new();
        for document in documents {
            collect(document, 0, &mut found);
        }
        let mut values: Vec<String> = found.into_iter().collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values }
    }

    /// A text without secrets and without control characters but line ends and tabs.
    pub fn mask(&self, text: &str) -> String {
        let mut text = plain(text);
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), MASK);
            }
        }
        for (look, rest) in LOOKS.iter() {
            replace(&mut text, |text| look.replace_all(text, *rest));
        }
        let assigned = |found: &Captures<'_>| {
            let (name, between) = (&found[1], &found[2]);
            if is_secret_name(name) {
                format!("{name}{between}{MASK}")
            } else {
                found[0].to_owned()
            }
        };
        replace(&mut text, |text| ASSIGNED.replace_all(text, assigned));
        replace(&mut text, |text| OPTION.replace_all(text, "${1} ***"));
        text
    }

    /// The lines of a log without secrets, those that go over several lines included.
    pub fn mask_lines<'a>(&self, lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut in_key = false;
        let mask = |line: &str| {
            let begins = line.contains("-----BEGIN") && line.contains("PRIVATE KEY-----");
            let ends = line.contains("-----END");
            if in_key {
                in_key = !ends;
                return MASK.to_owned();
            }
            in_key = begins && !ends;
            self.mask(line)
        };
        lines.into_iter().map(mask).collect()
    }

    /// A diff of manifests without secrets: the value that follows a name that promises one is
    /// masked, however short.
    pub fn mask_diff(&self, diff: &str) -> String {
        let mut named = false;
        let mask = |line: &str| {
            let content = line.get(1..).unwrap_or_default().trim_start();
            let content = content.strip_prefix("- ").unwrap_or(content);
            if let Some(name) = content.strip_prefix("name:") {
                named = is_secret_name(name.trim());
            } else if named && content.starts_with("value:") {
                let end = line.find("value:").unwrap_or_default() + "value:".len();
                return format!("{} {MASK}\n", &line[..end]);
            }
            self.mask(line) + "\n"
        };
        diff.lines().map(mask).collect()
    }
}

fn replace(text: &mut String, with: impl FnOnce(&str) -> Cow<'_, str>) {
    if let Cow::Owned(changed) = with(text) {
        *text = changed;
    }
}

/// Without what moves a terminal's cursor, which may also part a secret.
fn plain(text: &str) -> String {
    let text = TERMINAL.replace_all(text, "");
    let keep = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().filter(keep).collect()
}

/// Values of names that promise a secret: of `{name, value}` pairs, as environments have them, and
/// of fields.
fn collect(value: &Value, depth: usize, found: &mut BTreeSet<String>) {
    if depth > MAX_DEPTH || found.len() >= MAX_VALUES {
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|it| collect(it, depth + 1, found)),
        Value::Object(fields) => {
            if let (Some(Value::String(name)), Some(Value::String(value))) =
                (fields.get("name"), fields.get("value"))
                && is_secret_name(name)
            {
                keep(value, found);
            }
            for (name, field) in fields {
                match field {
                    Value::String(value) if is_secret_name(name) => keep(value, found),
                    _ => collect(field, depth + 1, found),
                }
            }
        }
        _ => {}
    }
}

fn keep(value: &str, found: &mut BTreeSet<String>) {
    let value = value.trim();
    let is_word = matches!(
        value.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "none" | "default"
    );
    if value.len() >= MIN_VALUE_BYTES && !is_word {
        found.insert(value.to_owned());
    }
    if value.contains('\n') {
        let lines = value.lines().map(str::trim);
        found.extend(
            lines
                .filter(|line| line.len() >= MIN_LINE_BYTES)
                .map(str::to_owned),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_by_their_names_and_looks() {
        for (text, masked) in [
            ("DB_PASSWORD=hunter2 next", "DB_PASSWORD=*** next"),
            ("password: \"a b\" x", "password: *** x"),
            (
                r#"{"apiToken":"abc","user":"ada"}"#,
                r#"{"apiToken":***,"user":"ada"}"#,
            ),
            (r#"msg="{\"secret\":\"abc\"}""#, r#"msg="{\"secret\":***}""#),
            (
                "run --db-password hunter2 --verbose",
                "run --db-password *** --verbose",
            ),
            ("GET /?access_key=1&b=2", "GET /?access_key=***&b=2"),
            (
                "connect postgres://ada:hunter2@db:5432/x failed",
                "connect postgres://***@db:5432/x failed",
            ),
            (
                "https://tok3n@host/a https://host/b@c",
                "https://***@host/a https://host/b@c",
            ),
            ("Authorization: Bearer abc.def", "Authorization: ***"),
            ("authorization=Basic YWRhOnA=", "authorization=***"),
            ("Cookie: a=b; c=d", "Cookie: ***"),
            ("sent bearer 0123456789abcdef0", "sent bearer ***"),
            ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM ok", "jwt *** ok"),
            ("key AKIAIOSFODNN7EXAMPLE", "key ***"),
            ("ghp_0123456789abcdefghijABCD", "***"),
            ("a\u{1b}[31mPASS\u{1b}[0mWORD=x\u{0}y", "aPASSWORD=***"),
        ] {
            assert_eq!(mask(text), masked, "{text}");
            assert_eq!(mask(masked), masked, "again: {masked}");
        }
    }

    #[test]
    fn what_only_speaks_of_secrets_stays() {
        for text in [
            "secretName: web-tls",
            "reading /run/secrets/key",
            "token_ttl=3600",
            "a basic test of authentication",
            "listening on http://127.0.0.1:8080/",
            "password is required",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn known_values_are_masked_wherever_they_stand() {
        let manifest = json!({"spec": {"containers": [{"env": [
            {"name": "DB_PASSWORD", "value": "hunter2"},
            {"name": "SIGNING_KEY", "value": "first line\nsecond line"},
            {"name": "GREETING", "value": "good morning"},
            {"name": "TOKEN_COUNT", "value": "1234"},
            {"name": "SESSION_ID", "value": "abc"},
        ]}]}});
        let masks = Masks::of([&manifest]);
        assert_eq!(
            masks.mask("good morning 1234 abc, I am hunter2!"),
            "good morning 1234 abc, I am ***!"
        );
        assert_eq!(masks.mask("got second line"), "got ***");
    }

    #[test]
    fn keys_of_many_lines_are_masked() {
        let lines = [
            "begin",
            "-----BEGIN RSA PRIVATE KEY-----",
            "MIIEpAIBAAKCAQEA",
            "-----END RSA PRIVATE KEY-----",
            "end",
        ];
        let masked = Masks::default().mask_lines(lines);
        assert_eq!(masked, ["begin", "***", "***", "***", "end"]);
    }

    #[test]
    fn a_diff_hides_values_however_short() {
        let diff = " - name: DB_PASSWORD\n-  value: a\n+  value: b\n - name: MODE\n+  value: c\n";
        let masked = Masks::default().mask_diff(diff);
        assert_eq!(
            masked,
            " - name: DB_PASSWORD\n-  value: ***\n+  value: ***\n - name: MODE\n+  value: c\n"
        );
    }
}
