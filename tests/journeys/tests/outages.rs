//! What Hermez needs goes away and comes back: it says so, and nothing is lost.

use std::time::Duration;

use hermez_api::{BuildState, Deploy, DeployState, Health, WorkloadStatus};
use hermez_journeys::forge::Clone;
use hermez_journeys::hermez::ask;
use hermez_journeys::proxy::Wire;
use hermez_journeys::sample::Sample;
use hermez_journeys::sandbox::Sandbox;
use hermez_journeys::server::{Options, Server, free_port};
use hermez_journeys::wait::until;

const LIMIT: Duration = Duration::from_mins(3);

#[tokio::test]
async fn a_registry_that_is_down_is_named() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let forge = sandbox.forge().expect("forge");
    let registry = format!("127.0.0.1:{}", free_port().expect("port"));
    let options = Options {
        registry: Some(registry.clone()),
        ..Options::default()
    };
    let server = Server::start(&sandbox, options).await.expect("server");
    let hermez = server.hermez().expect("token");
    let (name, url, clone) = Clone::of_new(&forge, "registry").await.expect("repository");
    Sample {
        name: &name,
        namespace: &name,
        replicas: 1,
        ready_after_s: 0,
        extra_step: "",
    }
    .write(&clone, "registry\n")
    .expect("files");
    let commit = clone.commit_and_push("First").await.expect("push");
    hermez
        .create_workload(&ask(&url, "service.yaml"))
        .await
        .expect("created");
    let said =
        until(
            "the build says that the registry is down",
            LIMIT,
            || async {
                let commits = hermez.commits(&name).await?;
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
    hermez
        .delete(&format!("/workloads/{name}"))
        .await
        .expect("delete");
    forge.delete_repository(&name).await.expect("clean up");
}

#[tokio::test]
async fn a_cluster_that_goes_away_and_comes_back() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let forge = sandbox.forge().expect("forge");
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
    std::fs::write(
        &kubeconfig,
        text.replace(&address, &format!("127.0.0.1:{}", wire.port())),
    )
    .expect("kubeconfig");

    // The server starts without its cluster, and says so.
    wire.cut();
    let options = Options {
        kubeconfig: Some(kubeconfig),
        ..Options::default()
    };
    let server = Server::start(&sandbox, options)
        .await
        .expect("the server starts without a cluster");
    let hermez = server.hermez().expect("token");
    let (name, url, clone) = Clone::of_new(&forge, "outage").await.expect("repository");
    Sample {
        name: &name,
        namespace: &name,
        replicas: 1,
        ready_after_s: 0,
        extra_step: "",
    }
    .write(&clone, "outage\n")
    .expect("files");
    let commit = clone.commit_and_push("First").await.expect("push");
    hermez
        .create_workload(&ask(&url, "service.yaml"))
        .await
        .expect("created without a cluster");
    let status: WorkloadStatus = hermez
        .get(&format!("/workloads/{name}/status"))
        .await
        .expect("status");
    assert_eq!(status.health, Health::NotDeployed, "{status:?}");

    // A deploy waits for the cluster and says so; when the cluster is back, it goes on by itself.
    hermez
        .artifact_available(&name, &commit, LIMIT)
        .await
        .expect("builds need no cluster");
    let asked = hermez.deploy(&name, &commit).await.expect("deploy");
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
    hermez
        .delete(&format!("/workloads/{name}"))
        .await
        .expect("delete");
    forge.delete_repository(&name).await.expect("clean up");
}

#[tokio::test]
async fn rollouts_that_cannot_succeed_say_why_early() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let forge = sandbox.forge().expect("forge");
    let hermez = sandbox.hermez().expect("server");
    let (name, url, clone) = Clone::of_new(&forge, "fails").await.expect("repository");
    let sample = Sample {
        name: &name,
        namespace: &name,
        replicas: 1,
        ready_after_s: 0,
        extra_step: "",
    };
    sample.write(&clone, "good\n").expect("files");
    let good = clone.commit_and_push("Good").await.expect("push");
    hermez
        .create_workload(&ask(&url, "service.yaml"))
        .await
        .expect("created");
    let first = hermez.deploy(&name, &good).await.expect("deploy");
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
        sample.write(&clone, "bad\n").expect("files");
        clone.write(file, &content).expect("write");
        let commit = clone.commit_and_push(cause).await.expect("push");
        hermez
            .commit_arrives(&name, &commit, LIMIT)
            .await
            .expect("arrives");
        let asked = hermez.deploy(&name, &commit).await.expect("deploy");
        let deploy = hermez.deploy_ends(asked.id, LIMIT).await.expect("ends");
        assert_eq!(deploy.summary.state, DeployState::Failed, "{deploy:#?}");
        assert_eq!(deploy.failure_cause.as_deref(), Some(cause), "{deploy:#?}");
        assert!(deploy.summary.message.contains(word), "{deploy:#?}");
        assert!(deploy.hint.is_some(), "{deploy:#?}");
    }
    hermez
        .delete(&format!("/workloads/{name}"))
        .await
        .expect("delete");
    forge.delete_repository(&name).await.expect("clean up");
}

/// How long the API server is away in the middle of a rollout, in seconds: by hand also a whole minute
/// (`HERMEZ_AWAY_SECONDS=60`).
fn away() -> Duration {
    let seconds = std::env::var("HERMEZ_AWAY_SECONDS").ok();
    Duration::from_secs(seconds.and_then(|it| it.parse().ok()).unwrap_or(15))
}

#[tokio::test]
async fn a_cluster_that_is_away_in_the_middle_of_a_rollout() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let forge = sandbox.forge().expect("forge");
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
    let server = Server::start(&sandbox, options).await.expect("server");
    let hermez = server.hermez().expect("token");
    let (name, url, clone) = Clone::of_new(&forge, "midway").await.expect("repository");
    Sample {
        name: &name,
        namespace: &name,
        replicas: 1,
        ready_after_s: 8,
        extra_step: "",
    }
    .write(&clone, "midway\n")
    .expect("files");
    let commit = clone.commit_and_push("First").await.expect("push");
    hermez
        .create_workload(&ask(&url, "service.yaml"))
        .await
        .expect("created");
    let asked = hermez.deploy(&name, &commit).await.expect("deploy");
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
        Ok((says && cut.elapsed() >= away()).then_some(()))
    })
    .await
    .expect("a message");
    wire.mend();
    let deploy = hermez.deploy_ends(asked.id, LIMIT).await.expect("ends");
    assert_eq!(deploy.summary.state, DeployState::Succeeded, "{deploy:#?}");
    let sets: kube::Api<k8s_openapi::api::apps::v1::ReplicaSet> =
        kube::Api::namespaced(sandbox.kube().await.expect("cluster"), &name);
    let sets = sets.list(&kube::api::ListParams::default()).await;
    assert_eq!(sets.expect("ReplicaSets").items.len(), 1, "rolled out once");
    hermez
        .delete(&format!("/workloads/{name}"))
        .await
        .expect("delete");
    forge.delete_repository(&name).await.expect("clean up");
}

#[tokio::test]
async fn a_forge_that_is_away_when_a_push_and_a_deploy_come() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let forge = sandbox.forge().expect("forge");
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
    let (name, url, clone) = Clone::of_new(&forge, "away").await.expect("repository");
    let sample = Sample {
        name: &name,
        namespace: &name,
        replicas: 1,
        ready_after_s: 0,
        extra_step: "",
    };
    sample.write(&clone, "first\n").expect("files");
    let first = clone.commit_and_push("First").await.expect("push");
    hermez
        .create_workload(&ask(&url.replace(&base, &through), "service.yaml"))
        .await
        .expect("created");
    hermez
        .artifact_available(&name, &first, LIMIT)
        .await
        .expect("built");

    // The forge tells of a push, and then nobody can fetch it.
    wire.cut();
    sample.write(&clone, "second\n").expect("files");
    let second = clone.commit_and_push("Second").await.expect("push");
    // What is built needs no forge.
    let asked = hermez.deploy(&name, &first).await.expect("deploy");
    let deploy = hermez.deploy_ends(asked.id, LIMIT).await.expect("ends");
    assert_eq!(deploy.summary.state, DeployState::Succeeded, "{deploy:#?}");
    let known = hermez.commits(&name).await.expect("commits");
    assert!(known.iter().all(|it| it.id != second), "{known:#?}");

    // Back: the push that was told of is followed, though nobody tells of it again.
    wire.mend();
    hermez
        .artifact_available(&name, &second, LIMIT)
        .await
        .expect("the push is not lost");
    hermez
        .delete(&format!("/workloads/{name}"))
        .await
        .expect("delete");
    forge.delete_repository(&name).await.expect("clean up");
}
