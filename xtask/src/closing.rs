//! The closing words of `up`: where everything is, and what to try next.

use std::time::Instant;

use hermez_sandbox::status::Status;

use crate::{progress, sample};

/// The words in a box.
pub fn render(status: &Status, sample: Option<&str>, started: Instant) -> String {
    let password = status.forge_password_file.display();
    let mut lines = vec![
        format!("Up in {}.", progress::elapsed(started)),
        String::new(),
    ];
    let mut line = |name: &str, value: &str| lines.push(format!("{name:<12} {value}"));
    if let Some(sample) = sample {
        line("Hermez", &status.server);
        line("Sample", sample);
        line("Token", &status.token_file.display().to_string());
    }
    line(
        "Forge",
        &format!(
            "{}  user {}, password in {password}",
            status.forge, status.forge_user
        ),
    );
    line("Registry", &status.registry);
    line("Kubeconfig", &status.kubeconfig.display().to_string());
    line("kubectl", &status.kubectl.display().to_string());
    line("Logs", &status.data_dir.join("logs").display().to_string());
    lines.push(String::new());
    if sample.is_some() {
        lines.extend(sample::next_steps(status));
    }
    lines.push("cargo xtask status    what runs, and where".to_owned());
    lines.push("cargo xtask down      stop it; the next `up` goes on from there".to_owned());
    boxed(&lines)
}

fn boxed(lines: &[String]) -> String {
    let width = lines
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0);
    let rule = "─".repeat(width + 2);
    let mut all = vec![format!("╭{rule}╮")];
    all.extend(lines.iter().map(|line| format!("│ {line:<width$} │")));
    all.push(format!("╰{rule}╯"));
    all.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_fits_its_longest_line() {
        assert_eq!(
            boxed(&["ab".into(), String::new()]),
            "╭────╮\n│ ab │\n│    │\n╰────╯"
        );
    }
}
