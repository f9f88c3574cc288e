//! What must not stand in a receipt: secrets, by their value, by their name and by their look. Pure.
//!
//! Known values are those that the manifests give to names that promise a secret. Values that a pod
//! takes from a Secret are not known here (Hermez may not read Secrets); they are masked where their
//! name or their look gives them away.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use regex::{Captures, Regex, RegexBuilder};
use serde_json::Value;

/// What stands in the place of a secret.
pub const MASK: &str = "***";
/// Shorter values are not masked wherever they occur: they would blacken half of every log.
const MIN_VALUE_BYTES: usize = 4;
/// The base64 of shorter values is not masked.
const MIN_ENCODED_BYTES: usize = 6;
/// Shorter lines of a value of several lines are not masked by themselves.
const MIN_LINE_BYTES: usize = 8;
/// Most known values.
const MAX_VALUES: usize = 1000;
/// Deepest nesting that is looked into.
const MAX_DEPTH: usize = 64;
/// Shortest run of base64 that is of a key before a key's last line.
const KEY_RUN: usize = 40;
/// Widths of a key's lines: of PEM and PGP, of OpenSSH, of MIME.
const KEY_WIDTHS: [usize; 3] = [64, 70, 76];
/// Fewer lines of such a width are of no key that has neither a first nor a last line.
const MIN_KEY_LINES: usize = 3;

/// Parts of names that promise a secret.
const SECRET: &str = r"(?:passw(?:or)?d|passwd|passphrase|secret|token|credential|api[_.-]?key|access[_.-]?key|private[_.-]?key|account[_.-]?key|signing[_.-]?key|encryption[_.-]?key|master[_.-]?key|auth[_.-]?key|session[_.-]?id|authorization|cookie|dsn)";
/// `pass` and `pwd` promise one too where they are a word of a name: not in `bypass` and `passed`.
const PASS: &str = r"(?:(?:(?-u:\b)|_)(?:pass|pwd)[0-9]*(?:(?-u:\b)|_)|(?-i:[a-z0-9](?:Pass|Pwd)[0-9]*(?:[A-Z_]|(?-u:\b))))";
/// Ends of names that tell of a secret and hold none.
const HARMLESS_ENDS: [&str; 16] = [
    "name", "ref", "path", "file", "dir", "mount", "count", "ttl", "seconds", "expiry", "expires",
    "enabled", "type", "length", "version", "through",
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

static SECRET_NAME: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!("(?i)(?:{SECRET}|{PASS})")));
static TERMINAL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)"));
/// A line of an environment that is shown: all that follows is the value.
static WHOLE_LINE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?im)^([ \t]*(?:(?:export|declare[ \t]+-x)[ \t]+)?)([a-z_][a-z0-9_.-]*)=([^\r\n]+)$")
});
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    let value = r#"(\\+"[^"]*"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&"'})\]]+)"#;
    pattern(&format!(
        r#"(?i)([a-z0-9_.-]*(?:{SECRET}|{PASS})[a-z0-9_.-]*)(\\*["']?[ \t]*(?:=>|:=|[:=])[ \t]*){value}"#
    ))
});
static OPTION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&format!(
        r"(?i)(--?[a-z0-9-]*{SECRET}[a-z0-9-]*|(?:^|\s)--?(?:[a-z0-9]+-)*(?:pass|pwd))[ \t]+[^\s-]\S*"
    ))
});

/// What gives itself away by its look, and what stays of it.
static LOOKS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        // Headers: all of the value, whatever its scheme.
        (
            r#"(?i)((?:proxy-)?authorization\\*["']?[ \t]*[:=][ \t]*\\*["']?)(?:[a-z][a-z0-9_-]*[ \t]+)?[^\s"'\\},]+"#,
            "${1}***",
        ),
        (
            r#"(?i)((?:set-)?cookie\\*["']?[ \t]*[:=][ \t]*\\*["']?)[^"'\\\r\n]+"#,
            "${1}***",
        ),
        (r"(?i)(?-u:\b)(bearer|basic)[ \t]+[a-z0-9._~+/=-]{16,}", "${1} ***"),
        // Credentials in URLs.
        (r#"([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/?\#"'<>]+@"#, "${1}***@"),
        // Those whose password has what should be written in `%` notation; a port is none.
        (
            r#"([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s"'<>@/:?\#\[]*:(?:[0-9]*[^\s"'<>0-9/?\#,;)\]}]|[/?\#])[^\s"'<>]*@"#,
            "${1}***@",
        ),
        (r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[0-9A-Za-z/_-]+", "${1}***"),
        // Base64 of PEM and of a registry's credentials, as Secrets have them.
        (r"(?:LS0tLS1CRUdJTi|eyJhdXRocyI6)[0-9A-Za-z_+/=-]+", "***"),
        (r#"(?i)(\\*"auth\\*"[ \t]*:[ \t]*)\\*"[^"]*""#, "${1}***"),
        // Tokens whose makers gave them a shape.
        (r"(?-u:\b)eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*", "***"),
        (
            r"(?-u:\b)(?:gh[pousr]_[0-9A-Za-z_]{20,}|github_pat_[0-9A-Za-z_]{20,}|npm_[0-9A-Za-z]{20,})",
            "***",
        ),
        (
            r"(?-u:\b)(?:glpat-|xox[abeprs]-|hermez_|[rs]k_(?:live|test)_|dckr_[op]at_|hv[bs]\.|sk-)[0-9A-Za-z_-]{16,}",
            "***",
        ),
        (r"(?-u:\b)(?:AKIA|ASIA)[0-9A-Z]{16}(?-u:\b)", "***"),
        (r"(?-u:\b)AIza[0-9A-Za-z_-]{30,}", "***"),
        (
            r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
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

/// Whether this value of that name is a secret: the shell's `PWD` is a directory.
fn is_secret(name: &str, value: &str) -> bool {
    let is_directory = || value.trim_start_matches(['"', '\'', '\\']).starts_with('/');
    is_secret_name(name) && !(name == "PWD" && is_directory())
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
        if text.contains('\n') {
            text = without_cut_keys(&text);
        }
        let whole_line = |found: &Captures<'_>| {
            let (before, name) = (&found[1], &found[2]);
            if is_secret(name, &found[3]) {
                format!("{before}{name}={MASK}")
            } else {
                found[0].to_owned()
            }
        };
        replace(&mut text, |text| WHOLE_LINE.replace_all(text, whole_line));
        let assigned = |found: &Captures<'_>| {
            let (name, between) = (&found[1], &found[2]);
            // `--- PASS: TestLogin` tells of a test.
            let is_verdict = name == "PASS" && between == ": ";
            if is_secret(name, &found[3]) && !is_verdict {
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
        let texts: Vec<String> = lines.into_iter().map(plain).collect();
        let lines: Vec<&str> = texts.iter().map(String::as_str).collect();
        let of_keys = of_keys(&lines);
        let masked = lines.iter().zip(of_keys).map(|(line, of_key)| {
            if of_key {
                MASK.to_owned()
            } else {
                self.mask(line)
            }
        });
        masked.collect()
    }

    /// A diff of manifests without secrets: the value that follows a name that promises one is
    /// masked, however short, and so are keys of several lines.
    pub fn mask_diff(&self, diff: &str) -> String {
        let lines: Vec<&str> = diff.lines().collect();
        let contents = lines.iter().map(|line| line.get(1..).unwrap_or_default());
        let contents: Vec<&str> = contents.map(str::trim_start).collect();
        let mut named = false;
        let mask = |((line, content), of_key): ((&&str, &&str), bool)| {
            if of_key {
                let before = &line[..line.len() - content.len()];
                return format!("{before}{MASK}\n");
            }
            let content = content.strip_prefix("- ").unwrap_or(content);
            if let Some(name) = content.strip_prefix("name:") {
                named = is_secret_name(name.trim());
            } else if named && content.starts_with("value:") {
                let end = line.find("value:").unwrap_or_default() + "value:".len();
                return format!("{} {MASK}\n", &line[..end]);
            }
            self.mask(line) + "\n"
        };
        let of_keys = of_keys(&contents);
        lines.iter().zip(&contents).zip(of_keys).map(mask).collect()
    }
}

fn replace(text: &mut String, with: impl FnOnce(&str) -> Cow<'_, str>) {
    if let Cow::Owned(changed) = with(text) {
        *text = changed;
    }
}

/// A text of several lines without what is left in it of private keys that it does not begin.
fn without_cut_keys(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let of_keys = of_keys(&lines);
    let masked = lines.iter().zip(of_keys);
    let masked = masked.map(|(line, of_key)| if of_key { MASK } else { *line });
    masked.collect::<Vec<_>>().join("\n")
}

/// Which lines are of private keys, but for the line that begins one. The last lines of a log may
/// have a key's end without its beginning, or neither of them.
fn of_keys(lines: &[&str]) -> Vec<bool> {
    let mut of_keys = vec![false; lines.len()];
    let mut in_key = false;
    let mut from = 0;
    for (at, line) in lines.iter().enumerate() {
        let ends = line.contains("-----END");
        let is_private = line.contains("PRIVATE KEY");
        if in_key {
            of_keys[at] = true;
            in_key = !ends;
        } else if is_private && line.contains("-----BEGIN") {
            in_key = !ends;
        } else if is_private && ends {
            let body = (from..=at).filter(|it| has_key_run(lines[*it]));
            // The last lines of a key may be short.
            let end = (from..at).rev();
            let end = end.take_while(|it| is_base64(lines[*it].trim()));
            for it in body.chain(end) {
                of_keys[it] = true;
            }
            from = at + 1;
        }
    }
    let mut at = 0;
    for run in lines.chunk_by(|one, next| is_key_line(one) == is_key_line(next)) {
        let next = at + run.len();
        if run.len() >= MIN_KEY_LINES && is_key_line(lines[at]) {
            of_keys[at..next].fill(true);
        }
        at = next;
    }
    of_keys
}

fn is_of_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

fn is_base64(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_of_base64)
}

fn has_key_run(line: &str) -> bool {
    let mut runs = line.split(|c: char| !is_of_base64(c));
    runs.any(|run| run.len() >= KEY_RUN)
}

/// Whether a line alone could be one of a key: digests have letters of one case.
fn is_key_line(line: &str) -> bool {
    let line = line.trim();
    KEY_WIDTHS.contains(&line.len())
        && is_base64(line)
        && line.contains(|c: char| c.is_ascii_uppercase())
        && line.contains(|c: char| c.is_ascii_lowercase())
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
                && is_secret(name, value)
            {
                keep(value, found);
            }
            for (name, field) in fields {
                match field {
                    Value::String(value) if is_secret(name, value) => keep(value, found),
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
        if value.len() >= MIN_ENCODED_BYTES {
            // Without padding it begins that of the value with a line end, too.
            found.insert(STANDARD_NO_PAD.encode(value));
        }
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
mod tests;
