//! What Hermez needs goes away and comes back: it says so, and nothing is lost.

use std::time::Duration;

use hermez_api::{BuildState, Deploy, DeployState, Health, WorkloadStatus};
use hermez_journeys::hermez::{Hermez, ask};
use hermez_journeys::played::{Played, config};
use hermez_journeys::proxy::Wire;
use hermez_journeys::sample::Sample;
use hermez_journeys::sandbox::{Sandbox, unique};
use hermez_journeys::server::{Options, Server, free_port};
use hermez_journeys::stage::Stage;
use hermez_journeys::wait::until;

const LIMIT: Duration = Duration::from_mins(3);

/// A repository with the sample in it, and its first commit; it is ready so late.
async fn opened(
    sandbox: &Sandbox,
    hermez: Hermez,
    prefix: &str,
    ready_after_s: u32,
) -> (Stage, String) {
    let stage = Stage::open(sandbox, hermez, prefix).await.expect("stage");
    Sample {
        ready_after_s,
        ..stage.sample(1)
    }
    .write(&stage.clone, "first\n")
    .expect("files");
    let commit = stage.clone.commit_and_push("First").await.expect("push");
    (stage, commit)
}

/// The API server behind a wire, and how a server is led there; the folder holds the kubeconfig.
async fn cluster_behind_a_wire(sandbox: &Sandbox) -> (Wire, Options, tempfile::TempDir) {
    let text = std::fs::read_to_string(&sandbox.status.kubeconfig).expect("kubeconfig");
    let address = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("server: https://"))
        .expect("the API server's address")
        .trim()
        .to_owned();
    let wire = Wire::to(address.clone()).await.expect("wire");
    let folder = tempfile::tempdir().expect("folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let through = text.replace(&address, &format!("127.0.0.1:{}", wire.port()));
    std::fs::write(&kubeconfig, through).expect("kubeconfig");
    let options = Options {
        kubeconfig: Some(kubeconfig),
        ..Options::default()
    };
    (wire, options, folder)
}

#[tokio::test]
async fn a_registry_that_is_down_is_named() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let registry = format!("127.0.0.1:{}", free_port().expect("port"));
    let options = Options {
        registry: Some(registry.clone()),
        ..Options::default()
    };
    let server = Server::start(&sandbox, options).await.expect("server");
    let hermez = server.hermez().expect("token");
    let (stage, commit) = opened(&sandbox, hermez, "registry", 0).await;
    stage.create().await.expect("created");
    let said =
        until(
            "the build says that the registry is down",
            LIMIT,
            || async {
                let commits = stage.hermez.commits(&stage.name).await?;
                let build = commits
                    .into_iter()
                    .find(|seen| seen.id == commit)
                    .and_then(|seen| seen.build);
                Ok(build
                    .and_then(|build| build.error.filter(|_| build.state != BuildState::Succeeded)))
            },
        )
        .await
        .expect("an error");
    assert!(
        said.contains("registry") && said.contains(&registry),
        "{said}"
    );
    stage.clean_up().await.expect("clean up");
}

#[tokio::test]
async fn a_cluster_that_goes_away_and_comes_back() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let (wire, options, _folder) = cluster_behind_a_wire(&sandbox).await;
    // The server starts without its cluster, and says so.
    wire.cut();
    let server = Server::start(&sandbox, options)
        .await
        .expect("the server starts without a cluster");
    let hermez = server.hermez().expect("token");
    let (stage, commit) = opened(&sandbox, hermez, "outage", 0).await;
    stage.create().await.expect("created without a cluster");
    let (hermez, name) = (&stage.hermez, &stage.name);
    let status: WorkloadStatus = hermez
        .get(&format!("/workloads/{name}/status"))
        .await
        .expect("status");
    assert_eq!(status.health, Health::NotDeployed, "{status:?}");

    // A deploy waits for the cluster and says so; when the cluster is back, it goes on by itself.
    hermez
        .artifact_available(name, &commit, LIMIT)
        .await
        .expect("builds need no cluster");
    let asked = hermez.deploy(name, &commit).await.expect("deploy");
    let waiting = until("the deploy says what it waits for", LIMIT, || async {
        let deploy: Deploy = hermez.get(&format!("/deploys/{}", asked.id)).await?;
        Ok(deploy.summary.message.contains("cluster").then_some(deploy))
    })
    .await
    .expect("a message");
    assert!(
        !matches!(
            waiting.summary.state,
            DeployState::Failed | DeployState::Succeeded
        ),
        "{waiting:#?}"
    );
    wire.mend();
    let deploy = hermez.deploy_ends(asked.id, LIMIT).await.expect("ends");
    assert_eq!(deploy.summary.state, DeployState::Succeeded, "{deploy:#?}");

    // Away again: the status is unknown, not wrong; and back.
    wire.cut();
    until("unknown", LIMIT, || async {
        let status: WorkloadStatus = hermez.get(&format!("/workloads/{name}/status")).await?;
        Ok((status.health == Health::Unknown).then_some(()))
    })
    .await
    .expect("unknown");
    wire.mend();
    until("healthy", LIMIT, || async {
        let status: WorkloadStatus = hermez.get(&format!("/workloads/{name}/status")).await?;
        Ok((status.health == Health::Healthy).then_some(()))
    })
    .await
    .expect("healthy again");
    stage.clean_up().await.expect("clean up");
}

#[tokio::test]
async fn rollouts_that_cannot_succeed_say_why_early() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let hermez = sandbox.hermez().expect("server");
    let (stage, good) = opened(&sandbox, hermez, "fails", 0).await;
    stage.create().await.expect("created");
    let (hermez, name, clone) = (&stage.hermez, &stage.name, &stage.clone);
    let sample = stage.sample(1);
    let first = hermez.deploy(name, &good).await.expect("deploy");
    let first = hermez.deploy_ends(first.id, LIMIT).await.expect("ends");
    assert_eq!(first.summary.state, DeployState::Succeeded, "{first:#?}");

    let config = sample.config();
    let crash = (
        "server.pl",
        "print \"cannot find the settings\\n\"; exit 3;\n".to_owned(),
        "crash_loop",
        "3",
    );
    let huge = config.replace(
        "          ports:",
        "          resources: {requests: {cpu: \"1000\"}}\n          ports:",
    );
    let unschedulable = ("service.yaml", huge, "unschedulable", "cpu");
    let missing = config.replace(
        &format!("image: {name}\n"),
        &format!("image: {name}\n          envFrom: [{{configMapRef: {{name: not-there}}}}]\n"),
    );
    let config_missing = ("service.yaml", missing, "config_missing", "not-there");
    for (file, content, cause, word) in [crash, unschedulable, config_missing] {
        sample.write(clone, "bad\n").expect("files");
        clone.write(file, &content).expect("write");
        let commit = clone.commit_and_push(cause).await.expect("push");
        hermez
            .commit_arrives(name, &commit, LIMIT)
            .await
            .expect("arrives");
        let asked = hermez.deploy(name, &commit).await.expect("deploy");
        let deploy = hermez.deploy_ends(asked.id, LIMIT).await.expect("ends");
        assert_eq!(deploy.summary.state, DeployState::Failed, "{deploy:#?}");
        assert_eq!(deploy.failure_cause.as_deref(), Some(cause), "{deploy:#?}");
        assert!(deploy.summary.message.contains(word), "{deploy:#?}");
        assert!(deploy.hint.is_some(), "{deploy:#?}");
    }
    stage.clean_up().await.expect("clean up");
}

/// How long the API server is away in the middle of a rollout.
const AWAY: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_cluster_that_is_away_in_the_middle_of_a_rollout() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let (wire, options, _folder) = cluster_behind_a_wire(&sandbox).await;
    let server = Server::start(&sandbox, options).await.expect("server");
    let hermez = server.hermez().expect("token");
    let (stage, commit) = opened(&sandbox, hermez, "midway", 8).await;
    stage.create().await.expect("created");
    let (hermez, name) = (&stage.hermez, &stage.name);
    let asked = hermez.deploy(name, &commit).await.expect("deploy");
    let reached = hermez
        .deploy_reaches(asked.id, &[DeployState::RollingOut], LIMIT)
        .await
        .expect("it rolls out");
    assert_eq!(
        reached.summary.state,
        DeployState::RollingOut,
        "{reached:#?}"
    );
    wire.cut();
    let cut = std::time::Instant::now();
    until("the deploy says what it waits for", LIMIT, || async {
        let deploy: Deploy = hermez.get(&format!("/deploys/{}", asked.id)).await?;
        assert_eq!(deploy.summary.state, DeployState::RollingOut, "{deploy:#?}");
        let says = deploy.summary.message.contains("does not answer");
        Ok((says && cut.elapsed() >= AWAY).then_some(()))
    })
    .await
    .expect("a message");
    wire.mend();
    let deploy = hermez.deploy_ends(asked.id, LIMIT).await.expect("ends");
    assert_eq!(deploy.summary.state, DeployState::Succeeded, "{deploy:#?}");
    let sets: kube::Api<k8s_openapi::api::apps::v1::ReplicaSet> =
        kube::Api::namespaced(stage.kube.clone(), name);
    let sets = sets.list(&kube::api::ListParams::default()).await;
    assert_eq!(sets.expect("ReplicaSets").items.len(), 1, "rolled out once");
    stage.clean_up().await.expect("clean up");
}

#[tokio::test]
async fn a_forge_that_is_away_when_a_push_and_a_deploy_come() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let base = sandbox.status.forge.trim_end_matches('/').to_owned();
    let address = base.trim_start_matches("http://").to_owned();
    let wire = Wire::to(address).await.expect("wire");
    let through = format!("http://127.0.0.1:{}", wire.port());
    let options = Options {
        forge: Some(through.clone()),
        ..Options::default()
    };
    let server = Server::start(&sandbox, options).await.expect("server");
    let hermez = server.hermez().expect("token");
    let (stage, first) = opened(&sandbox, hermez, "away", 0).await;
    let (hermez, name) = (&stage.hermez, &stage.name);
    let url = stage.url.replace(&base, &through);
    hermez
        .create_workload(&ask(&url, "service.yaml"))
        .await
        .expect("created");
    hermez
        .artifact_available(name, &first, LIMIT)
        .await
        .expect("built");

    // The forge tells of a push, and then nobody can fetch it.
    wire.cut();
    let second = stage.push("second").await.expect("push");
    // What is built needs no forge.
    let asked = hermez.deploy(name, &first).await.expect("deploy");
    let deploy = hermez.deploy_ends(asked.id, LIMIT).await.expect("ends");
    assert_eq!(deploy.summary.state, DeployState::Succeeded, "{deploy:#?}");
    let known = hermez.commits(name).await.expect("commits");
    assert!(known.iter().all(|it| it.id != second), "{known:#?}");

    // Back: the push that was told of is followed, though nobody tells of it again.
    wire.mend();
    hermez
        .artifact_available(name, &second, LIMIT)
        .await
        .expect("the push is not lost");
    stage.clean_up().await.expect("clean up");
}

/// What is built is deployed by its manifest, which the registry has; a server that has just started
/// has nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_away_in_the_middle_of_a_deploy() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let played = Played::start(&sandbox, unique("fetches"))
        .await
        .expect("played nodes");
    let wire = Wire::to(sandbox.status.registry.clone())
        .await
        .expect("wire");
    let registry = format!("127.0.0.1:{}", wire.port());
    let options = Options {
        registry: Some(registry.clone()),
        ..Options::default()
    };
    let mut server = Server::start(&sandbox, options).await.expect("server");
    let hermez = server.hermez().expect("token");
    let stage = Stage::open(&sandbox, hermez, "fetches")
        .await
        .expect("stage");
    let (hermez, name) = (&stage.hermez, &played.namespace);
    let text = config(name, name, "first");
    stage.clone.write("service.yaml", text).expect("write");
    stage
        .clone
        .write("Dockerfile", "FROM scratch\nCOPY message.txt /\n")
        .expect("write");
    let commit = stage.push("first").await.expect("push");
    stage.create().await.expect("created");
    hermez
        .artifact_available(name, &commit, LIMIT)
        .await
        .expect("built");
    server.stop().await.expect("it stops");
    server.launch().await.expect("it starts");

    wire.cut();
    let asked = hermez.deploy(name, &commit).await.expect("deploy");
    let waiting = until("the deploy says what it waits for", LIMIT, || async {
        let deploy: Deploy = hermez.get(&format!("/deploys/{}", asked.id)).await?;
        anyhow::ensure!(!deploy.summary.state.is_over(), "{deploy:#?}");
        let says = |it: &hermez_api::DeployEvent| it.message.contains(&registry);
        Ok(deploy.timeline.iter().any(says).then_some(deploy))
    })
    .await
    .expect("its timeline names the registry");
    assert_eq!(waiting.summary.state, DeployState::Applying, "{waiting:#?}");
    wire.mend();
    let deploy = hermez.deploy_ends(asked.id, LIMIT).await.expect("ends");
    assert_eq!(deploy.summary.state, DeployState::Succeeded, "{deploy:#?}");
    let ends = deploy.timeline.iter().filter(|it| it.state.is_over());
    assert_eq!(ends.count(), 1, "{deploy:#?}");
    hermez
        .delete(&format!("/workloads/{name}"))
        .await
        .expect("delete");
    stage
        .forge
        .delete_repository(&stage.name)
        .await
        .expect("clean up");
    server.end().await.expect("it stops");
    played.clean_up().await.expect("clean up");
}
