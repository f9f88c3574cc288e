//! The commands that the documentation tells people to type are commands that there are.

use std::path::{Path, PathBuf};

use clap::Parser;
use hermez_cli::args::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Lines of fenced blocks, with continued lines joined, and their numbers.
fn commands(text: &str) -> Vec<(usize, String)> {
    let (mut fenced, mut open) = (false, None::<(usize, String)>);
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let (number, mut whole) = open.take().unwrap_or((index + 1, String::new()));
        whole.push_str(line.trim_start());
        if let Some(begun) = whole.strip_suffix('\\') {
            open = Some((number, begun.to_owned()));
        } else if let Some(command) = whole
            .trim_start_matches("$ ")
            .strip_prefix("hermez ")
            .filter(|_| fenced)
        {
            found.push((number, command.to_owned()));
        }
    }
    found
}

/// The words of a command, without what the shell does with its output or its comment.
fn words(command: &str) -> Vec<String> {
    let ends =
        |word: &&str| !matches!(*word, "|" | ">" | "<" | "&&" | ";") && !word.starts_with('#');
    // A line whose quotes do not end in it is read word by word.
    let words = shlex::split(command).unwrap_or_else(|| {
        let words = command.split_whitespace();
        words.map(str::to_owned).collect()
    });
    let words = words.iter().map(String::as_str).take_while(ends);
    words
        .map(|word| word.trim_matches(['"', '\'', ')']).to_owned())
        .collect()
}

#[test]
fn what_the_documentation_types_is_understood() {
    let mut files = vec![root().join("README.md")];
    for entry in std::fs::read_dir(root().join("docs")).unwrap().flatten() {
        // The generated reference shows usages, with brackets.
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "md") && !path.ends_with("cli.md")
        {
            files.push(path);
        }
    }
    let mut wrong = Vec::new();
    let mut checked = 0;
    for file in files {
        for (line, command) in commands(&std::fs::read_to_string(&file).unwrap_or_default()) {
            checked += 1;
            let words = std::iter::once("hermez".to_owned()).chain(words(&command));
            if let Err(error) = Cli::try_parse_from(words) {
                let why = error.to_string();
                wrong.push(format!(
                    "{}:{line}: hermez {command}: {}",
                    file.display(),
                    why.lines().next().unwrap_or("")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 0, "the README shows no command at all");
}

#[test]
fn continued_lines_and_shell_are_read() {
    let text = "```sh\n$ hermez deploy main --workload hello \\\n    --watch   # follow it\n```\nhermez not this\n";
    let found = commands(text);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, 2);
    assert_eq!(
        words(&found[0].1),
        ["deploy", "main", "--workload", "hello", "--watch"]
    );
}
