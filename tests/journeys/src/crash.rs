//! Crash: the server is killed with SIGKILL at each stretch of the road, started again, and every
//! deploy finishes once.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hermez_api::{Build, BuildState, Deploy, DeployState, DeploySummary, LogLine, Page};
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::{Value, json};

use crate::forge::{Clone, Forge};
use crate::hermez::{Hermez, ask};
use crate::sample::Sample;
use crate::sandbox::{Sandbox, unique};
use crate::server::{Options, Server};
use crate::wait::until;

const LIMIT: Duration = Duration::from_mins(3);

/// Where the server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stretch {
    /// While a step of the build runs.
    Building,
    /// As soon as the deploy starts to write to the cluster.
    Applying,
    /// While pods start.
    RollingOut,
}

/// Runs the journey with a server of its own; its figures are the times to recover, in milliseconds.
///
/// # Errors
/// When a deploy is lost, done twice or does not finish.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let forge = sandbox.forge()?;
    let name = unique("crash");
    let url = forge.create_repository(&name, false).await?;
    let result = travel(sandbox, &forge, &name, &url).await;
    forge.delete_repository(&name).await?;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(sandbox.kube().await?);
    namespaces
        .delete(&name, &DeleteParams::default())
        .await
        .ok();
    result
}

async fn travel(sandbox: &Sandbox, forge: &Forge, name: &str, url: &str) -> Result<Value> {
    let mut server = Server::start(sandbox, Options::default()).await?;
    let clone = Clone::new(forge, url).await?;
    // Each commit's build has a step of about four seconds and each pod takes three to be ready.
    let sample = Sample {
        name,
        namespace: name,
        replicas: 2,
        ready_after_s: 3,
        extra_step: "RUN cat /message.txt && for i in 1 2 3 4; do echo \"part $i\"; sleep 1; done",
    };
    let mut figures = serde_json::Map::new();
    let mut created = false;
    for (round, stretch) in [Stretch::Building, Stretch::Applying, Stretch::RollingOut]
        .into_iter()
        .enumerate()
    {
        sample.write(&clone, &format!("round {round}\n"))?;
        let commit = clone
            .commit_and_push(&format!("Round {round}: {stretch:?}"))
            .await?;
        if !created {
            create(&server.hermez()?, url).await?;
            created = true;
        }
        let recovered = kill_and_recover(&mut server, name, &commit, stretch)
            .await
            .with_context(|| format!("killed while {stretch:?}; {}", server.last_words()))?;
        figures.insert(
            format!("{stretch:?}_to_finished_ms"),
            json!(recovered.as_millis() as u64),
        );
        replica_sets_are(sandbox, name, round + 1).await?;
    }
    let history: Page<DeploySummary> = server
        .hermez()?
        .get(&format!("/workloads/{name}/deploys"))
        .await?;
    anyhow::ensure!(
        history.items.len() == 3,
        "three deploys were asked for: {:#?}",
        history.items
    );
    anyhow::ensure!(
        history
            .items
            .iter()
            .all(|deploy| deploy.state == DeployState::Succeeded)
    );
    server.stop().await?;
    figures.insert("journey".to_owned(), json!("crash"));
    figures.insert("kills".to_owned(), json!(3));
    Ok(Value::Object(figures))
}

async fn create(hermez: &Hermez, url: &str) -> Result<()> {
    hermez.create_workload(&ask(url, "service.yaml")).await?;
    Ok(())
}

/// Deploys `commit`, kills the server on the way, starts it again, and checks that all was done once.
async fn kill_and_recover(
    server: &mut Server,
    name: &str,
    commit: &str,
    stretch: Stretch,
) -> Result<Duration> {
    let hermez = server.hermez()?;
    hermez.commit_arrives(name, commit, LIMIT).await?;
    let deploy = hermez.deploy(name, commit).await?;
    match stretch {
        Stretch::Building => step_runs(&hermez, deploy.id).await?,
        Stretch::Applying => {
            let states = [DeployState::Applying, DeployState::RollingOut];
            reached(&hermez.deploy_reaches(deploy.id, &states, LIMIT).await?)?;
        }
        Stretch::RollingOut => {
            reached(
                &hermez
                    .deploy_reaches(deploy.id, &[DeployState::RollingOut], LIMIT)
                    .await?,
            )?;
            until("a new pod starts", LIMIT, || async {
                let status: hermez_api::WorkloadStatus =
                    hermez.get(&format!("/workloads/{name}/status")).await?;
                Ok((status.pods_updated > 0).then_some(()))
            })
            .await?;
        }
    }
    server.kill().await?;
    let begun = Instant::now();
    server.launch().await?;
    let hermez = server.hermez()?;
    let finished = hermez.deploy_ends(deploy.id, LIMIT).await?;
    let took = begun.elapsed();
    finished_once(&hermez, &finished, commit).await?;
    Ok(took)
}

fn reached(deploy: &Deploy) -> Result<()> {
    anyhow::ensure!(
        !deploy.summary.state.is_over(),
        "it ended before it could be killed: {deploy:#?}"
    );
    Ok(())
}

async fn step_runs(hermez: &Hermez, deploy: i64) -> Result<()> {
    until("the build's slow step runs", LIMIT, || async {
        let deploy: Deploy = hermez.get(&format!("/deploys/{deploy}")).await?;
        let Some(build) = deploy.build_id else {
            return Ok(None);
        };
        let log: Page<LogLine> = hermez
            .get(&format!("/builds/{build}/log?limit=200"))
            .await?;
        Ok(log
            .items
            .iter()
            .any(|line| line.text.contains("part 1"))
            .then_some(()))
    })
    .await
}

/// One success, one terminal entry in the timeline, one build with one artifact.
async fn finished_once(hermez: &Hermez, deploy: &Deploy, commit: &str) -> Result<()> {
    anyhow::ensure!(
        deploy.summary.state == DeployState::Succeeded,
        "{deploy:#?}"
    );
    let terminal = deploy
        .timeline
        .iter()
        .filter(|event| event.state.is_over())
        .count();
    anyhow::ensure!(
        terminal == 1,
        "one end in the timeline: {:#?}",
        deploy.timeline
    );
    let build: Build = hermez
        .get(&format!("/builds/{}", deploy.build_id.context("a build")?))
        .await?;
    anyhow::ensure!(
        build.summary.state == BuildState::Succeeded && build.summary.commit == commit,
        "{build:#?}"
    );
    anyhow::ensure!(build.artifact.is_some(), "{build:#?}");
    Ok(())
}

/// Each version was rolled out once: as many ReplicaSets as versions.
async fn replica_sets_are(sandbox: &Sandbox, name: &str, expected: usize) -> Result<()> {
    let sets: Api<ReplicaSet> = Api::namespaced(sandbox.kube().await?, name);
    let found = sets.list(&ListParams::default()).await?.items.len();
    anyhow::ensure!(
        found == expected,
        "{expected} versions were brought out, and there are {found} ReplicaSets"
    );
    Ok(())
}
