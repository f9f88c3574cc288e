//! Job set: words are counted by a set of groups that meet by name and wait for each other; the set
//! starts again when a job fails, says how the pod ended that it failed for, and groups in a circle are
//! refused with their place. One of a pull request runs once, when somebody asks for it.

use std::time::Instant;

use anyhow::{Context, Result};
use hermez_api::DeployState;
use serde_json::{Value, json};

use crate::batch::{Batch, Pull};
use crate::hermez::{Refused, ask};
use crate::sandbox::Sandbox;

/// The program of all groups.
const PROGRAM: &str = include_str!("../fixtures/wordcount.pl");
/// Lines of the text; its pods count a part each.
const LINES: usize = 1000;

/// Runs the journey; its figures are in milliseconds.
///
/// # Errors
/// When anything is not as it should be.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let batch = Batch::prepare(sandbox, "PinterestJobSet", "jobset").await?;
    let result = travel(&batch).await;
    let cleaned = batch.clean_up().await;
    let figures = result?;
    cleaned?;
    Ok(figures)
}

/// The config file; `fails` makes one of the counters fail in the first attempt, and `circle` lets
/// the groups wait for each other.
fn config(name: &str, fails: bool, circle: bool) -> String {
    let waits = if circle { "merge" } else { "store" };
    format!(
        "apiVersion: pinterest.com/v1
kind: PinterestJobSet
metadata:
  name: {name}
  project: journeys
  namespace: {name}
spec:
  terminationgraceperiodseconds: 1
  configs: {{FAILS: \"{}\"}}
  failurepolicy: {{maxrestarts: 1}}
  successpolicy: {{groups: [merge]}}
  replicatedjobs:
    - name: store
      template: {{spec: {{containers: [{{name: store, image: {name}, args: [store], readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1}}}}]}}}}
    - name: count
      replicas: 2
      parallelism: 2
      backofflimit: 0
      dependson:
        - {{name: {waits}, status: Ready}}
      template: {{spec: {{containers: [{{name: count, image: {name}, args: [count]}}]}}}}
    - name: merge
      dependson:
        - name: count
      template: {{spec: {{containers: [{{name: merge, image: {name}, args: [merge]}}]}}}}
",
        u8::from(fails)
    )
}

async fn travel(batch: &Batch) -> Result<Value> {
    let name = batch.name.as_str();
    let line = |n: usize| format!("line {n} has {} words\n", "many ".repeat(n % 7).trim_end());
    let text: String = (0..LINES).map(line).collect();
    let words = text.split_whitespace().count();
    batch.clone.write("text.txt", &text)?;
    batch.clone.write("wordcount.pl", PROGRAM)?;
    batch.clone.write("Dockerfile", "FROM debian:bookworm-slim\nCOPY wordcount.pl text.txt /\nENTRYPOINT [\"perl\", \"/wordcount.pl\"]\n")?;
    batch
        .clone
        .write("jobset.yaml", config(name, false, false))?;
    batch
        .clone
        .write("circle.yaml", config(name, false, true))?;
    let first = batch.clone.commit_and_push("Count words").await?;
    refuses_a_circle(batch).await?;
    batch.create("jobset.yaml").await?;
    let more = format!("{text}three words more\n");
    let pull = batch.open_pull_request("text.txt", &more).await?;

    let begun = Instant::now();
    let deploy = batch.deploy(&first).await?;
    let deployed = begun.elapsed();
    anyhow::ensure!(
        deploy.summary.state == DeployState::Succeeded,
        "{deploy:#?}"
    );
    let status = batch
        .status("the set has succeeded", |status| {
            status["phase"] == "Completed"
        })
        .await?;
    let completed = begun.elapsed();
    anyhow::ensure!(
        status["restarts"] == 0 && status["groups"][1]["succeeded"] == 4,
        "{status:#}"
    );
    batch.logged(&format!("{words} words")).await?;
    let revision = status["revision"].clone();
    let run = of_a_pull_request(&pull, words + 3).await?;
    pull.push("text.txt", "nobody counts these\n").await?;

    batch
        .clone
        .write("jobset.yaml", config(name, true, false))?;
    let second = batch.clone.commit_and_push("Fail once").await?;
    let begun = Instant::now();
    let deploy = batch.deploy(&second).await?;
    anyhow::ensure!(
        deploy.summary.state == DeployState::Succeeded,
        "{deploy:#?}"
    );
    let over = |status: &Value| status["revision"] != revision && status["phase"] == "Completed";
    let status = batch.status("the second run has succeeded", over).await?;
    let restarted = begun.elapsed();
    anyhow::ensure!(
        status["restarts"] == 1 && status["attempt"] == 2,
        "{status:#}"
    );
    let why = status["lastFailure"].as_str().context("a reason")?;
    anyhow::ensure!(why.contains(&format!("the job {name}-count-")), "{why}");
    batch.logged(&format!("{words} words")).await?;
    pull.ran_once(&run).await?;
    pull.close().await?;
    fails_with_its_last_words(batch).await?;
    Ok(json!({
        "journey": "jobset",
        "words": words,
        "deployed_ms": deployed.as_millis() as u64,
        "completed_ms": completed.as_millis() as u64,
        "completed_with_a_restart_ms": restarted.as_millis() as u64,
        "restarts": status["restarts"],
    }))
}

/// The set of a pull request has not run by itself; it does when it is asked for, and counts that many
/// words, which only the pull request has. Gives its status.
async fn of_a_pull_request(pull: &Pull<'_>, words: usize) -> Result<Value> {
    pull.nothing_runs().await?;
    let status = pull.runs_when_asked().await?;
    anyhow::ensure!(status["groups"][1]["succeeded"] == 4, "{status:#}");
    let counters = pull.pods("count").await?;
    anyhow::ensure!(counters.len() == 4, "{counters:#?}");
    pull.says("merge", &format!("{words} words")).await?;
    Ok(status)
}

/// A job that fails is the deploy's failure: with its exit code, and what it said last.
async fn fails_with_its_last_words(batch: &Batch) -> Result<()> {
    let words = "command: [sh, -c, \"echo no config; exit 3\"]";
    let config = config(&batch.name, false, false)
        .replace("maxrestarts: 1", "maxrestarts: 0")
        .replace("- name: store\n", "- name: store\n      backofflimit: 0\n")
        .replace("args: [store]", words);
    batch.clone.write("jobset.yaml", config)?;
    let commit = batch.clone.commit_and_push("Find no config").await?;
    let how = "container store ended with exit code 3";
    batch.fails_to_deploy(&commit, how, "no config").await
}

async fn refuses_a_circle(batch: &Batch) -> Result<()> {
    let create = ask(&batch.url, "circle.yaml");
    let refused = match batch
        .hermez
        .post::<_, Value>("/workloads/plan", &create)
        .await
    {
        Ok(plan) => anyhow::bail!("a circle was accepted: {plan}"),
        Err(error) => error.downcast::<Refused>()?,
    };
    let place = refused.problem.places.first().context("a place")?;
    anyhow::ensure!(
        place.file == "circle.yaml"
            && place.line == Some(24)
            && place.field.as_deref() == Some("spec.replicatedjobs[2].dependson[0].name")
            && place.message == "the groups wait for each other: count → merge → count",
        "{place:?}"
    );
    Ok(())
}
