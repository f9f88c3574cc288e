//! Links in Markdown lead to files and headings that are there.

use std::path::Path;

use super::{Tree, Violation};

/// Checks the relative links of a Markdown file. `read` gives the text of another file.
pub fn check(
    path: &str,
    text: &str,
    tree: &Tree,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for (line, target) in targets(text) {
        if let Some(message) = broken(path, text, &target, tree, &read) {
            found.push(Violation {
                path: path.to_owned(),
                line,
                message,
            });
        }
    }
    found
}

fn broken(
    path: &str,
    text: &str,
    target: &str,
    tree: &Tree,
    read: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let other;
    let text = if file.is_empty() {
        text
    } else {
        let Some(file) = resolve(path, file).filter(|file| tree.has(file)) else {
            return Some(format!("the link to `{target}` leads nowhere"));
        };
        if heading.is_empty()
            || Path::new(&file)
                .extension()
                .is_none_or(|extension| extension != "md")
        {
            return None;
        }
        other = read(&file).unwrap_or_default();
        &other
    };
    let known = heading.is_empty()
        || outside_code(text).any(|(_, line)| slug_of(line).as_deref() == Some(heading));
    (!known).then(|| format!("the link to `{target}` names a heading that is not there"))
}

/// The path that a link in `from` means; none when it leaves the repository.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if link.starts_with('/') {
        parts.clear();
    }
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Targets of links within the repository, with their lines.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, content) in outside_code(text) {
        let mut rest = content;
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find([')', ' ']) else {
                break;
            };
            let target = rest[..end].trim_matches(['<', '>']);
            let is_outside = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !is_outside {
                found.push((line, target.to_owned()));
            }
        }
    }
    found
}

/// Lines that are not in a fenced block, with their numbers.
fn outside_code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((number + 1, line))
    })
}

/// A heading's anchor, as forges make it.
fn slug_of(line: &str) -> Option<String> {
    let heading = line
        .strip_prefix('#')?
        .trim_start_matches('#')
        .strip_prefix(' ')?;
    let kept = heading
        .trim()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    Some(
        kept.flat_map(char::to_lowercase)
            .map(|c| if c == ' ' { '-' } else { c })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn lines(text: &str) -> Vec<usize> {
        let paths = ["docs/a.md", "docs/adr/0001-x.md", "README.md"];
        let tree = Tree {
            paths: paths.iter().map(ToString::to_string).collect(),
        };
        let read = |path: &str| {
            (path == "README.md").then(|| "# Hermez\n## The tour, in short\n".to_owned())
        };
        check("docs/a.md", text, &tree, read)
            .iter()
            .map(|violation| violation.line)
            .collect()
    }

    #[test]
    fn links_to_files_and_folders_are_followed() {
        assert_eq!(
            lines("[a](adr/0001-x.md) [b](../README.md) [c](adr) [d](https://example.com)"),
            NONE
        );
        assert_eq!(
            lines("ok\n[a](adr/0002-y.md) and [b](../../outside.md)"),
            [2, 2]
        );
    }

    #[test]
    fn links_to_headings_are_followed() {
        assert_eq!(
            lines("# One `two`\n[a](#one-two) [b](../README.md#the-tour-in-short)"),
            NONE
        );
        assert_eq!(lines("[a](#nowhere) [b](../README.md#nowhere)"), [1, 1]);
    }

    #[test]
    fn what_stands_in_a_fenced_block_is_no_link() {
        assert_eq!(lines("```\n[a](nowhere)\n```\n"), NONE);
    }
}
