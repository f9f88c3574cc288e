//! What Hermez needs goes away and comes back: it says so, and nothing is lost.

use std::time::Duration;

use hermez_api::{
    BuildState, CreateHotfix, CreatePullRequestDeploy, Deploy, DeployState, DeploySummary, Health,
    PullRequest, Revert, WorkloadStatus,
};
use hermez_journeys::hermez::{Hermez, Refused, ask};
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

/// A server whose forge is behind a wire, and a workload whose repository is read through it.
async fn forge_behind_a_wire(sandbox: &Sandbox, prefix: &str) -> (Wire, Server, Stage, String) {
    let base = sandbox.status.forge.trim_end_matches('/').to_owned();
    let address = base.trim_start_matches("http://").to_owned();
    let wire = Wire::to(address).await.expect("wire");
    let through = format!("http://127.0.0.1:{}", wire.port());
    let options = Options {
        forge: Some(through.clone()),
        ..Options::default()
    };
    let server = Server::start(sandbox, options).await.expect("server");
    let hermez = server.hermez().expect("token");
    let (stage, first) = opened(sandbox, hermez, prefix, 0).await;
    let url = stage.url.replace(&base, &through);
    stage
        .hermez
        .create_workload(&ask(&url, "service.yaml"))
        .await
        .expect("created");
    (wire, server, stage, first)
}

#[tokio::test]
async fn a_forge_that_is_away_when_a_push_and_a_deploy_come() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let (wire, _server, stage, first) = forge_behind_a_wire(&sandbox, "away").await;
    let (hermez, name) = (&stage.hermez, &stage.name);
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

/// What the forge has of a repository.
async fn of_forge(stage: &Stage, path: &str) -> anyhow::Result<Vec<serde_json::Value>> {
    let path = format!("/repos/{}/{}/{path}", stage.forge.user(), stage.name);
    let answer = stage.forge.call(reqwest::Method::GET, &path, None).await?;
    Ok(answer.as_array().cloned().unwrap_or_default())
}

/// Asks for what must be pushed to the forge, which is away: it is refused, and says why.
async fn needs_the_forge(stage: &Stage, path: &str, body: &impl serde::Serialize) {
    let body = serde_json::to_value(body).expect("a body");
    let answer = stage.hermez.post::<_, serde_json::Value>(path, &body).await;
    let error = answer.expect_err("the forge is away");
    let refused = error.downcast_ref::<Refused>().expect("a refusal");
    let said = serde_json::to_string(&refused.problem).expect("words");
    assert!(
        [422, 502, 503].contains(&refused.status),
        "{} {said}",
        refused.status
    );
    assert!(
        said.contains("127.0.0.1") && refused.problem.hint.is_some(),
        "{said}"
    );
}

#[tokio::test]
async fn a_forge_that_is_away_when_it_is_to_be_told_and_pushed_to() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let (wire, _server, stage, first) = forge_behind_a_wire(&sandbox, "untold").await;
    let (hermez, name) = (&stage.hermez, &stage.name);
    let asked = hermez.deploy(name, &first).await.expect("deploy");
    stage
        .ends(asked.id, DeployState::Succeeded)
        .await
        .expect("the first runs");

    // A preview becomes ready while nobody can be told of it.
    stage.clone.write("message.txt", "topic\n").expect("write");
    let head = stage.clone.commit("A topic").await.expect("commit");
    stage.clone.push_to("topic").await.expect("push");
    let opened = stage.forge.open_pull(name, "topic", "A topic").await;
    let number = opened.expect("pull request");
    let pull = format!("/workloads/{name}/pull-requests/{number}");
    until("the pull request is known", LIMIT, || async {
        let known: anyhow::Result<PullRequest> = hermez.get(&pull).await;
        Ok(known.is_ok_and(|it| it.head == head).then_some(()))
    })
    .await
    .expect("known");
    let ask = CreatePullRequestDeploy::default();
    let asked: DeploySummary = hermez
        .post(&format!("{pull}/deploys"), &ask)
        .await
        .expect("a preview");
    wire.cut();
    let preview = stage.ends(asked.id, DeployState::Succeeded).await;
    let comments = format!("issues/{number}/comments");
    let is_told = |all: &[serde_json::Value]| {
        let bodies = all.iter().filter_map(|it| it["body"].as_str());
        bodies.filter(|body| body.contains(": ready")).count()
    };
    let told = of_forge(&stage, &comments).await.expect("comments");
    assert_eq!(is_told(&told), 0, "the forge was away: {told:?}");

    // What must be pushed is refused, with nothing left behind.
    let fix = CreateHotfix {
        commits: vec![head.clone()],
        branch: None,
        reason: Some("it is broken".to_owned()),
    };
    let hotfixes = format!("/workloads/{name}/hotfixes");
    needs_the_forge(&stage, &hotfixes, &fix).await;
    wire.mend();
    preview.expect("the preview is ready without the forge");

    // Back: it is told once, by itself, and what was refused is taken.
    until("the forge is told", LIMIT, || async {
        let statuses = of_forge(&stage, &format!("statuses/{head}")).await?;
        let is_good = |it: &serde_json::Value| it["status"] == "success";
        let told = of_forge(&stage, &comments).await?;
        Ok((statuses.iter().any(is_good) && is_told(&told) == 1).then_some(()))
    })
    .await
    .expect("comment and status");
    let asked: DeploySummary = hermez.post(&hotfixes, &fix).await.expect("a hotfix");
    stage
        .ends(asked.id, DeployState::Succeeded)
        .await
        .expect("the hotfix runs");
    let branches = of_forge(&stage, "branches").await.expect("branches");
    let fixes = branches.iter().filter_map(|it| it["name"].as_str());
    let fixes = fixes.filter(|name| name.starts_with("hotfix/")).count();
    assert_eq!(fixes, 1, "{branches:?}");

    // A rollback needs no forge; its revert does.
    let second = stage.push("second").await.expect("push");
    hermez
        .commit_arrives(name, &second, LIMIT)
        .await
        .expect("arrives");
    let asked = stage.deploy(&second).await.expect("deploy");
    stage
        .ends(asked.id, DeployState::Succeeded)
        .await
        .expect("the second runs");
    wire.cut();
    let rollback: DeploySummary = hermez
        .post(
            &format!("/workloads/{name}/rollback"),
            &serde_json::json!({}),
        )
        .await
        .expect("a rollback");
    stage
        .ends(rollback.id, DeployState::Succeeded)
        .await
        .expect("it needs no forge");
    let revert = format!("/deploys/{}/revert", rollback.id);
    needs_the_forge(&stage, &revert, &serde_json::json!({})).await;
    wire.mend();
    let proposed: Revert = hermez
        .post(&revert, &serde_json::json!({}))
        .await
        .expect("a revert");
    let open = of_forge(&stage, "pulls?state=open").await.expect("pulls");
    let reverts = open
        .iter()
        .filter(|it| it["number"] == proposed.pull_request);
    assert_eq!(reverts.count(), 1, "{open:?}");
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
