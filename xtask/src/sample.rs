//! The sample service: its repository in the forge, and its way through Hermez
//! by the ordinary commands that a person would type.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hermez_sandbox::http::Request;
use hermez_sandbox::status::{self, Status};
use hermez_sandbox::{command, http};

use crate::progress::Progress;
use crate::repository;

/// How long the sample may take to answer after its deploy.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);

/// A link that signs the browser in, once.
pub fn login_link(status: &Status) -> anyhow::Result<String> {
    let output = hermez(status, &["login-link"])?;
    let link = output
        .lines()
        .map(str::trim)
        .rfind(|line| line.starts_with("http"));
    Ok(link
        .with_context(|| format!("`hermez login-link` printed no link: {output}"))?
        .to_owned())
}

/// Takes the sample the whole road, and returns its address once it answers. What an earlier,
/// interrupted run has done of it is not done again.
pub fn seed(progress: &Progress, status: &Status) -> anyhow::Result<String> {
    let url = repository_url(status);
    create_repository(status)?;
    let commit = if let Some(commit) = newest_commit(&url)? {
        commit
    } else {
        progress.during(format!("Pushing the sample to {url}"), || push(status))?;
        newest_commit(&url)?.context("the sample's repository has no branch main")?
    };
    if hermez(status, &["workload", "show", "hello"]).is_err() {
        progress.during("Creating the workload hello", || {
            hermez(
                status,
                &[
                    "workload",
                    "create",
                    "--repository",
                    &url,
                    "--config",
                    "service.yaml",
                    "--yes",
                ],
            )
        })?;
    }
    if !was_deployed(status)? {
        progress.during(
            format!("Building and deploying {}", &commit[..commit.len().min(8)]),
            || {
                hermez(
                    status,
                    &["deploy", &commit, "--workload", "hello", "--watch"],
                )
            },
        )?;
    }
    progress.during("Waiting for the sample to answer", || {
        wait_for_answer(status)
    })
}

/// The commit that the sample's main branch is at; none while nothing was pushed.
fn newest_commit(url: &str) -> anyhow::Result<Option<String>> {
    let refs = command::output(Command::new("git").args(["ls-remote", url, "refs/heads/main"]))?;
    Ok(refs.split_whitespace().next().map(ToOwned::to_owned))
}

/// Whether any deploy of the sample has succeeded.
fn was_deployed(status: &Status) -> anyhow::Result<bool> {
    let history = hermez(
        status,
        &[
            "history",
            "hello",
            "--state",
            "succeeded",
            "--limit",
            "1",
            "--output",
            "json",
        ],
    )?;
    let history: serde_json::Value = serde_json::from_str(&history)?;
    let deploys = history["items"].as_array();
    Ok(deploys.is_some_and(|deploys| !deploys.is_empty()))
}

/// What to try next.
pub fn next_steps(status: &Status) -> Vec<String> {
    let hermez = status.hermez.display();
    vec![
        "Try this next:".to_owned(),
        format!("git clone {}", repository_url(status)),
        "  edit message.txt, commit, push: Hermez builds the commit".to_owned(),
        format!("{hermez} deploy COMMIT --workload hello --watch"),
        format!("{hermez} logs hello --follow"),
        String::new(),
    ]
}

fn repository_url(status: &Status) -> String {
    format!("{}/{}/hello.git", status.forge, status.forge_user)
}

fn hermez(status: &Status, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(&status.hermez);
    command
        .args(arguments)
        .env("HERMEZ_SERVER", &status.server)
        .env("HERMEZ_TOKEN_FILE", &status.token_file);
    Ok(command::output(&mut command)?)
}

/// Makes the repository where it is not there yet.
fn create_repository(status: &Status) -> anyhow::Result<()> {
    let token = std::fs::read_to_string(&status.forge_token_file)?;
    let authorization = format!("token {}", token.trim());
    let address = status
        .forge
        .trim_start_matches("http://")
        .parse()
        .context("the forge's address")?;
    let request = Request {
        method: "POST",
        path: "/api/v1/user/repos",
        headers: &[("Authorization", &authorization)],
        body: r#"{"name": "hello", "default_branch": "main", "description": "The sample service"}"#,
    };
    let response: http::Response = request.send(address)?;
    match response.status {
        201 | 409 => Ok(()),
        code => bail!(
            "the forge does not make the sample's repository ({code}): {}",
            response.body
        ),
    }
}

/// Commits `examples/hello` in a folder of its own and pushes it.
fn push(status: &Status) -> anyhow::Result<()> {
    let password = std::fs::read_to_string(&status.forge_password_file)?;
    let work = status.data_dir.join("var").join("sample");
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    copy(&repository().join("examples/hello"), &work)?;
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(&work)
            .args(["-c", "user.name=Hermez", "-c", "user.email=hermez@localhost.localdomain"])
            // The password goes by the environment: others can read command lines.
            .args(["-c", "credential.helper=!f() { echo username=$FORGE_USER; echo password=$FORGE_PASSWORD; }; f"])
            .env("FORGE_USER", &status.forge_user)
            .env("FORGE_PASSWORD", password.trim())
            .env("GIT_TERMINAL_PROMPT", "0")
            .args(arguments);
        command::output(&mut git)
    };
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message=Say hello"])?;
    git(&["push", "--quiet", &repository_url(status), "main"])?;
    std::fs::remove_dir_all(&work)?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    command::output(Command::new("cp").arg("-r").arg(from).arg(to))?;
    Ok(())
}

fn wait_for_answer(status: &Status) -> anyhow::Result<String> {
    let deadline = Instant::now() + ANSWER_LIMIT;
    loop {
        let now = status::read(&status.data_dir)?;
        ensure!(now.is_running(), "the cluster has stopped");
        if let Some(url) = now.sample {
            let address = url
                .trim_start_matches("http://")
                .trim_end_matches('/')
                .parse()?;
            let request = Request {
                path: "/",
                ..Request::default()
            };
            if request
                .send(address)
                .is_ok_and(|response| response.status == 200)
            {
                return Ok(url);
            }
        }
        ensure!(
            Instant::now() < deadline,
            "the sample does not answer; `hermez status hello` and `hermez logs hello` may say why"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
