//! The rules, each a function of a path and a text.

use std::path::Path;

use super::{Tree, Violation};

/// Lines that a file should stay below.
pub const LINES_GOOD: usize = 400;
/// Lines at which a file must be split.
const LINES_MAX: usize = 800;

/// Words that promise work instead of doing it. Written in pieces, so that this file passes.
const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
];

/// Ways to leave a test out, by language.
const LEFT_OUT_RUST: [&str; 1] = [concat!("#[", "ignore")];
const LEFT_OUT_SCRIPT: [&str; 6] = [
    concat!("it", ".skip"),
    concat!("test", ".skip"),
    concat!("describe", ".skip"),
    concat!("it", ".only("),
    concat!("test", ".only("),
    concat!("describe", ".only("),
];

/// Folders that exist on somebody's machine only.
const MACHINE_FOLDERS: [&str; 3] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
];

/// Cargo's own name for crates.io.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Rules about which files there are.
pub fn tree(tree: &Tree) -> Vec<Violation> {
    let needed = [
        "LICENSE",
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "deny.toml",
        ".ci/run",
    ];
    let missing = needed.iter().filter(|path| !tree.paths.contains(**path));
    missing.map(|path| whole(path, "is missing")).collect()
}

/// Rules about what is in a file.
pub fn file(path: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let is_generated = is_generated(path);
    if is_code(path) && !is_generated {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            found.push(whole(
                path,
                &format!("has {lines} lines; split it by what its parts own (at most {LINES_MAX})"),
            ));
        }
        found.extend(words(
            path,
            text,
            &UNFINISHED,
            "finish it, or file an issue",
        ));
    }
    match extension(path) {
        "rs" => found.extend(words(path, text, &LEFT_OUT_RUST, "a test runs, or it goes")),
        "ts" | "tsx" => found.extend(words(
            path,
            text,
            &LEFT_OUT_SCRIPT,
            "every test runs, or it goes",
        )),
        _ => {}
    }
    if !is_lock(path) && !is_generated {
        found.extend(machine_folders(path, text));
    }
    found.extend(registries(path, text));
    if is_crate_root(path) && !text.starts_with("//!") {
        found.push(whole(
            path,
            "must open with //!: what the crate owns and guarantees",
        ));
    }
    // What is a workspace of its own has no other's lints to take.
    if path.ends_with("Cargo.toml")
        && text.contains("[package]")
        && !text.contains("\n[workspace]\n")
        && !text.contains("[lints]\nworkspace = true")
    {
        found.push(whole(
            path,
            "must take the workspace's lints: `[lints]` with `workspace = true`",
        ));
    }
    found
}

/// The number of a file's lines, when it is longer than it should be.
pub fn is_long(path: &str, text: &str) -> Option<usize> {
    let lines = text.lines().count();
    (is_code(path) && !is_generated(path) && lines > LINES_GOOD).then_some(lines)
}

fn words(path: &str, text: &str, words: &[&str], advice: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(word) = words.iter().find(|word| line.contains(**word)) {
            found.push(at(path, number, &format!("`{word}`: {advice}")));
        }
    }
    found
}

/// Absolute paths of a developer's machine. Those inside an image or a pod are somebody else's
/// file system: a line that says so (`in the image`) is left alone.
fn machine_folders(path: &str, text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let starts = |folder: &&&str| {
            line.match_indices(**folder).any(|(position, _)| {
                let before = line[..position].chars().next_back();
                before.is_none_or(|c| !(c.is_alphanumeric() || "}._-/)~*".contains(c)))
            })
        };
        if let Some(folder) = MACHINE_FOLDERS.iter().find(starts)
            && !line.contains("in the image")
        {
            found.push(at(
                path,
                number,
                &format!("`{folder}` is a folder of one machine; derive it from XDG or HOME"),
            ));
        }
    }
    found
}

/// Addresses of package registries and proxies: they belong to the machine, not to the repository.
fn registries(path: &str, text: &str) -> Vec<Violation> {
    let name = Path::new(path)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let marks: &[&str] = match name {
        "package-lock.json" => &["\"resolved\": \"http"],
        ".npmrc" => &["registry=", "registry ="],
        "config.toml" if path.contains(".cargo/") => &["[source", "[registr", "proxy"],
        "go.mod" | "go.env" => &["GOPROXY", "GONOSUMDB"],
        "Cargo.lock" => {
            let foreign = |line: &str| line.starts_with("source = ") && !line.contains(CRATES_IO);
            return text
                .lines()
                .enumerate()
                .filter(|(_, line)| foreign(line))
                .map(|(number, line)| {
                    at(path, number, &format!("{line}: only crates.io is a source"))
                })
                .collect();
        }
        _ => return Vec::new(),
    };
    words(
        path,
        text,
        marks,
        "a registry's or proxy's address belongs to the machine, not to the repository",
    )
}

fn extension(path: &str) -> &str {
    Path::new(path)
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
}

fn is_code(path: &str) -> bool {
    matches!(extension(path), "rs" | "ts" | "tsx" | "go")
}

/// Files that no person writes.
fn is_generated(path: &str) -> bool {
    path.ends_with("src/api/schema.d.ts")
        || path.starts_with("deploy/crds/")
        || path == "deploy/openapi.json"
}

fn is_lock(path: &str) -> bool {
    matches!(
        Path::new(path).file_name().and_then(|name| name.to_str()),
        Some("Cargo.lock" | "package-lock.json" | "go.sum")
    )
}

fn is_crate_root(path: &str) -> bool {
    path.ends_with("src/lib.rs") || path.ends_with("src/main.rs")
}

fn whole(path: &str, message: &str) -> Violation {
    Violation {
        path: path.to_owned(),
        line: 0,
        message: message.to_owned(),
    }
}

fn at(path: &str, index: usize, message: &str) -> Violation {
    Violation {
        path: path.to_owned(),
        line: index + 1,
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a file and expects violations on these lines (0: the whole file).
    fn check(path: &str, text: &str, expect: &[usize]) {
        let lines: Vec<usize> = file(path, text)
            .iter()
            .map(|violation| violation.line)
            .collect();
        assert_eq!(lines, expect, "{path}: {text}");
    }

    #[test]
    fn unfinished_work_is_found_in_code_and_not_in_prose() {
        let text = format!("//! x\nfn f() {{ {} }}\n", concat!("todo", "!()"));
        check("src/a.rs", &text, &[2]);
        check("docs/a.md", &text, &[]);
    }

    #[test]
    fn tests_that_are_left_out_are_found() {
        check(
            "src/a.rs",
            &format!("{}]\nfn f() {{}}", LEFT_OUT_RUST[0]),
            &[1],
        );
        check(
            "web/src/a.test.ts",
            &format!("ok\n{}('x')", LEFT_OUT_SCRIPT[1]),
            &[2],
        );
        check("src/a.rs", "items.iter().skip(1)", &[]);
    }

    #[test]
    fn long_files_must_be_split() {
        check("src/a.rs", &"x\n".repeat(LINES_MAX), &[]);
        check("src/a.rs", &"x\n".repeat(LINES_MAX + 1), &[0]);
        check("web/src/api/schema.d.ts", &"x\n".repeat(LINES_MAX + 1), &[]);
        assert_eq!(
            is_long("src/a.rs", &"x\n".repeat(LINES_GOOD + 1)),
            Some(LINES_GOOD + 1)
        );
        assert_eq!(is_long("Cargo.lock", &"x\n".repeat(LINES_GOOD + 1)), None);
    }

    #[test]
    fn folders_of_one_machine_are_found() {
        for folder in MACHINE_FOLDERS {
            check("README.md", &format!("cd {folder}main"), &[1]);
            check(
                "README.md",
                &format!("a/b{folder}c and http://host{folder}"),
                &[],
            );
        }
    }

    #[test]
    fn addresses_of_registries_are_found() {
        check(
            "web/package-lock.json",
            r#"  "resolved": "https://mirror.example/x.tgz","#,
            &[1],
        );
        check("web/package-lock.json", r#"  "integrity": "sha512-x""#, &[]);
        check("Cargo.lock", &format!("source = \"{CRATES_IO}\"\n"), &[]);
        check(
            "Cargo.lock",
            "x\nsource = \"registry+https://mirror.example/index\"\n",
            &[2],
        );
        check(".cargo/config.toml", "[source.crates-io]\n", &[1]);
        check("web/.npmrc", "registry=https://mirror.example/\n", &[1]);
        check("web/.npmrc", "omit-lockfile-registry-resolved=true\n", &[]);
        check(".cargo/config.toml", "[alias]\nxtask = \"run\"\n", &[]);
    }

    #[test]
    fn crate_roots_say_what_they_own_and_take_the_lints() {
        check("crates/a/src/lib.rs", "mod a;\n", &[0]);
        check("crates/a/src/lib.rs", "//! Owns a.\n", &[]);
        check("crates/a/Cargo.toml", "[package]\nname = \"a\"\n", &[0]);
        check(
            "crates/a/Cargo.toml",
            "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n",
            &[],
        );
    }

    #[test]
    fn a_licence_must_be_there() {
        let tree = |paths: &[&str]| Tree {
            paths: paths.iter().map(ToString::to_string).collect(),
        };
        let missing: Vec<String> = super::tree(&tree(&["README.md"]))
            .into_iter()
            .map(|v| v.path)
            .collect();
        assert!(
            missing.contains(&"LICENSE".to_owned()) && !missing.contains(&"README.md".to_owned())
        );
    }
}
