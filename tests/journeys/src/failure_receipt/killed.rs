//! A server that is killed after a pod has failed and is gone: the pod's last lines were written down,
//! without secrets, and the server that goes on with the deploy has them for its receipt.

use std::time::Duration;

use anyhow::{Context, Result};
use hermez_api::{Deploy, DeployState, PodChangeKind, Receipt};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, DeleteParams};
use serde_json::{Value, json};

use super::LIMIT;
use super::ways::SECRET;
use crate::forge::Clone;
use crate::hermez::{Hermez, ask};
use crate::sample::Sample;
use crate::sandbox::Sandbox;
use crate::server::{Options, Server};
use crate::wait::until;

/// The container's own part of the config file: one end may be come over, so that the deploy goes on
/// after the first.
const CONTAINER: &str = "          command: [\"sh\", \"-c\", \"echo last words of $HOSTNAME with $DB_PASSWORD; sleep 5; exit 9\"]\n          env:\n            - name: DB_PASSWORD\n              value: SECRET\n";

/// Runs it with a server of its own, for the others' goes on; gives how many lines were kept.
pub(super) async fn run(sandbox: &Sandbox) -> Result<Value> {
    let forge = sandbox.forge()?;
    let (name, url, clone) = Clone::of_new(&forge, "killed").await?;
    let namespaces: Api<Namespace> = Api::all(sandbox.kube().await?);
    let lines = travel(sandbox, &name, &url, &clone).await;
    forge.delete_repository(&name).await?;
    namespaces
        .delete(&name, &DeleteParams::default())
        .await
        .ok();
    Ok(json!(lines?))
}

async fn travel(sandbox: &Sandbox, name: &str, url: &str, clone: &Clone) -> Result<usize> {
    let mut server = Server::start(sandbox, Options::default()).await?;
    let hermez = server.hermez()?;
    let sample = Sample {
        name,
        namespace: name,
        replicas: 1,
        ready_after_s: 0,
        extra_step: "",
    };
    sample.write(clone, "never shown\n")?;
    let config = sample.config() + &CONTAINER.replace("SECRET", SECRET);
    clone.write("service.yaml", config)?;
    let commit = clone.commit_and_push("Break it: killed").await?;
    hermez.create_workload(&ask(url, "service.yaml")).await?;
    let asked = hermez.deploy(name, &commit).await?;
    let gone = crashed(&hermez, asked.id).await?;
    // Its lines are read beside what the timeline tells of it; nothing tells when.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let pods: Api<Pod> = Api::namespaced(sandbox.kube().await?, name);
    pods.delete(&gone, &DeleteParams::default().grace_period(0))
        .await?;
    until("the pod is gone", LIMIT, || async {
        let found = pods.get_opt(&gone).await?;
        Ok(found.is_none().then_some(()))
    })
    .await?;
    let deploy: Deploy = hermez.get(&format!("/deploys/{}", asked.id)).await?;
    anyhow::ensure!(!deploy.summary.state.is_over(), "{deploy:#?}");
    server.kill().await?;
    server.launch().await?;
    let deploy = hermez
        .deploy_ends(asked.id, LIMIT)
        .await
        .with_context(|| server.last_words())?;
    anyhow::ensure!(deploy.summary.state == DeployState::Failed, "{deploy:#?}");
    let path = format!("/deploys/{}/receipt", asked.id);
    let receipt: Receipt = hermez.get(&path).await?;
    let containers = &receipt.evidence.containers;
    let kept = containers.iter().find(|it| it.pod == gone);
    let kept = kept.with_context(|| format!("{gone} is not in {receipt:#?}"))?;
    let words = format!("last words of {gone} with ***");
    anyhow::ensure!(
        kept.gone && kept.lines.iter().any(|line| line.text == words),
        "{receipt:#?}"
    );
    let text = serde_json::to_string(&receipt)?;
    anyhow::ensure!(!text.contains(SECRET), "{SECRET:?} is in {receipt:#?}");
    let lines = kept.lines.len();
    server.end().await?;
    Ok(lines)
}

/// The first pod of which a container has ended, as the deploy's timeline tells.
async fn crashed(hermez: &Hermez, id: i64) -> Result<String> {
    until("a container has ended", LIMIT, || async {
        let deploy: Deploy = hermez.get(&format!("/deploys/{id}")).await?;
        anyhow::ensure!(!deploy.summary.state.is_over(), "too late: {deploy:#?}");
        let mut pods = deploy.timeline.into_iter().filter_map(|event| event.pod);
        let crashed = pods.find(|pod| pod.change == PodChangeKind::Crashed);
        Ok(crashed.map(|pod| pod.name))
    })
    .await
}
