//! Which workload is meant when none is named: the one whose repository the current folder is a
//! clone of, or the only one there is.

use hermez_api::{Page, WorkloadSummary};

use crate::app::App;
use crate::error::CliError;
use crate::print;

/// Most workloads that are looked through.
const WORKLOADS_MAX: usize = 2_000;

/// The named workload, or the one that is meant.
pub async fn workload(app: &App, named: Option<String>) -> Result<String, CliError> {
    if let Some(name) = named {
        return Ok(name);
    }
    let page: Page<WorkloadSummary> = app
        .client
        .list(&["workloads"], &[], WORKLOADS_MAX)
        .await?
        .read()?;
    let known: Vec<(&str, &str)> = page
        .items
        .iter()
        .map(|w| (w.name.as_str(), w.repository.as_str()))
        .collect();
    let name = decide(&known, &remotes().await)?;
    if known.len() > 1 && !app.json() {
        print::note(&format!(
            "Workload {name} (its repository is this folder's remote)."
        ));
    }
    Ok(name)
}

/// The decision, as a function of the workloads (name, repository) and the folder's remotes.
fn decide(workloads: &[(&str, &str)], remotes: &[String]) -> Result<String, CliError> {
    let keys: Vec<String> = remotes
        .iter()
        .filter_map(|remote| repository_key(remote))
        .collect();
    let here: Vec<&str> = workloads
        .iter()
        .filter(|(_, repository)| repository_key(repository).is_some_and(|key| keys.contains(&key)))
        .map(|(name, _)| *name)
        .collect();
    let unclear = |message: String, hint: String| Err(CliError::Usage { message, hint });
    match (here.as_slice(), workloads) {
        ([name], _) | ([], [(name, _)]) => Ok((*name).to_owned()),
        ([], []) => unclear(
            "there is no workload yet".to_owned(),
            "Create one with `hermez workload create --repository URL --config PATH`.".to_owned(),
        ),
        ([], _) => unclear(
            format!("which of the {} workloads is meant?", workloads.len()),
            format!(
                "Name it; there are {}.",
                names(workloads.iter().map(|(name, _)| *name))
            ),
        ),
        (several, _) => unclear(
            "this folder's repository has several workloads".to_owned(),
            format!("Name one of {}.", names(several.iter().copied())),
        ),
    }
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 10;
    let all: Vec<&str> = all.collect();
    let mut text = all
        .iter()
        .take(SHOWN)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if all.len() > SHOWN {
        text.push_str(", …");
    }
    text
}

/// What makes two addresses the same repository: host and path, however it is reached.
fn repository_key(address: &str) -> Option<String> {
    let address = address.trim();
    let (host, path) = if let Some((_, rest)) = address.split_once("://") {
        let (authority, path) = rest.split_once('/')?;
        (authority.rsplit('@').next()?, path)
    } else {
        // git@host:owner/repository
        let (authority, path) = address.split_once(':')?;
        if authority.contains('/') {
            return None;
        }
        (authority.rsplit('@').next()?, path)
    };
    let path = path.trim_matches('/');
    let path = path
        .strip_suffix(".git")
        .unwrap_or(path)
        .trim_end_matches('/');
    let host = host.to_ascii_lowercase();
    (!host.is_empty() && !path.is_empty()).then(|| format!("{host}/{path}"))
}

/// Addresses of the current folder's Git remotes; none when it is no clone or there is no Git.
async fn remotes() -> Vec<String> {
    let output = tokio::process::Command::new("git")
        .args(["config", "--get-regexp", r"^remote\..*\.url$"])
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .output()
        .await;
    let Ok(output) = output else {
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .take(20)
        .filter_map(|line| line.split_once(' ').map(|(_, url)| url.to_owned()))
        .collect()
}

/// The commit that is meant: `HEAD` is the current folder's own, anything else the server's to read.
pub async fn commit(named: &str) -> Result<String, CliError> {
    if named != "HEAD" {
        return Ok(named.to_owned());
    }
    let output = tokio::process::Command::new("git")
        .args(["rev-parse", "--verify", "HEAD^{commit}"])
        .stdin(std::process::Stdio::null())
        .output()
        .await;
    let id = output
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    id.ok_or_else(|| CliError::Usage {
        message: "HEAD means the current folder's commit, and this folder has none".to_owned(),
        hint:
            "Run the command in a clone of the repository, or give a commit id, a branch or a tag."
                .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: [(&str, &str); 2] = [
        ("hello", "http://forge:3000/o/hello"),
        ("other", "http://forge:3000/o/other"),
    ];

    #[test]
    fn the_folder_decides_however_its_remote_is_written() {
        for remote in [
            "http://forge:3000/o/hello.git",
            "http://jane:token@FORGE:3000/o/hello/",
            "ssh://git@forge:3000/o/hello.git",
        ] {
            assert_eq!(
                decide(&TWO, &[remote.to_owned()]).unwrap(),
                "hello",
                "{remote}"
            );
        }
        let scp = [
            ("hello", "https://forge/o/hello.git"),
            ("x", "https://forge/o/x"),
        ];
        assert_eq!(
            decide(&scp, &["git@forge:o/hello.git".to_owned()]).unwrap(),
            "hello"
        );
    }

    #[test]
    fn the_only_workload_needs_no_name() {
        assert_eq!(decide(&TWO[..1], &["/a/path".to_owned()]).unwrap(), "hello");
    }

    #[test]
    fn doubt_is_an_error_that_lists_the_names() {
        let error = decide(&TWO, &[]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert_eq!(error.hint().unwrap(), "Name it; there are hello, other.");
        let shared = [
            ("a", "http://f/r"),
            ("b", "http://f/r"),
            ("c", "http://f/s"),
        ];
        let error = decide(&shared, &["http://f/r.git".to_owned()]).unwrap_err();
        assert_eq!(error.hint().unwrap(), "Name one of a, b.");
        assert!(
            decide(&[], &[])
                .unwrap_err()
                .hint()
                .unwrap()
                .contains("workload create")
        );
    }
}
