//! Two servers on one PostgreSQL, and a PostgreSQL that goes away: nothing is lost, nothing is done
//! twice.

use std::time::Duration;

use anyhow::Result;
use hermez_api::{Deploy, DeployState, DeploySummary, Page};
use hermez_journeys::forge::Clone;
use hermez_journeys::hermez::{Hermez, ask};
use hermez_journeys::played::{Played, config};
use hermez_journeys::postgres::Postgres;
use hermez_journeys::sandbox::{Sandbox, unique};
use hermez_journeys::server::{Options, Server};
use hermez_journeys::wait::until;
use kube::api::{Api, DynamicObject};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(3);
/// Deploys that two servers share, each of a workload of its own.
const SHARED: usize = 20;

fn options(postgres: &Postgres) -> Options {
    Options {
        arguments: vec!["--database".to_owned(), postgres.url("hermez")],
        ..Options::default()
    }
}

/// How often the resource of a workload was changed.
async fn generation(played: &Played, name: &str) -> Result<i64> {
    let kind = hermez_kinds::Kind::Service.api_resource();
    let resources: Api<DynamicObject> =
        Api::namespaced_with(played.client.clone(), &played.namespace, &kind);
    let resource = resources.get_opt(name).await?;
    Ok(resource
        .and_then(|it| it.metadata.generation)
        .unwrap_or_default())
}

async fn history(hermez: &Hermez, name: &str) -> Result<Vec<DeploySummary>> {
    let path = format!("/workloads/{name}/deploys");
    let page: Page<DeploySummary> = hermez.get(&path).await?;
    Ok(page.items)
}

/// Waits for the end of a deploy, whoever is away in the meantime.
async fn ends(hermez: &Hermez, id: i64) -> Result<Deploy> {
    until(&format!("deploy {id} ends"), LIMIT, || async {
        let deploy = hermez.get::<Deploy>(&format!("/deploys/{id}")).await;
        Ok(deploy.ok().filter(|it| it.summary.state.is_over()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_the_work_and_one_takes_over() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let forge = sandbox.forge().expect("forge");
    let postgres = Postgres::start().await.expect("PostgreSQL");
    postgres.create("hermez").await.expect("a database");
    let played = Played::start(&sandbox, unique("replicas"))
        .await
        .expect("played nodes");
    let (repository, url, clone) = Clone::of_new(&forge, "replicas").await.expect("repository");
    let one = Server::start(&sandbox, options(&postgres)).await;
    let mut one = one.expect("the first server");
    let two = Server::start_beside(&sandbox, options(&postgres), &one).await;
    let two = two.expect("the second server");
    let (first, second) = (one.hermez().expect("token"), two.hermez().expect("token"));

    let name = |index: usize| format!("{}-{index}", played.namespace);
    for index in 0..SHARED {
        let text = config(&name(index), &played.namespace, "first");
        clone.write(&format!("s{index}.yaml"), text).expect("write");
    }
    let short_lived = name(SHARED);
    let text = config(&short_lived, &played.namespace, "first");
    clone.write("short-lived.yaml", text).expect("write");
    clone
        .write("Dockerfile", "FROM scratch\nCOPY message.txt /\n")
        .expect("write");
    clone.write("message.txt", "replicas\n").expect("write");
    let commit = clone.commit_and_push("First").await.expect("push");
    for index in 0..SHARED {
        first
            .create_workload(&ask(&url, &format!("s{index}.yaml")))
            .await
            .expect("created");
    }
    // Each server has a mirror of its own: the other has none yet, and answers all the same.
    let known = second.commits(&name(0)).await.expect("it fetches its own");
    assert_eq!(known.first().map(|it| &it.id), Some(&commit), "{known:#?}");
    for index in 0..SHARED {
        second
            .artifact_available(&name(index), &commit, LIMIT)
            .await
            .expect("built by one of them");
    }

    // What one of them is told, who watches the other sees.
    let ask = ask(&url, "short-lived.yaml");
    first.create_workload(&ask).await.expect("created");
    let mut events = second.stream("/watch").await.expect("a stream");
    let path = format!("/workloads/{short_lived}");
    first.delete(&path).await.expect("deleted");
    let deleted = tokio::time::timeout(LIMIT, events.next("deleted")).await;
    let deleted = deleted.expect("in time").expect("it is told");
    assert_eq!(deleted["name"], short_lived.as_str());

    let mut asked = Vec::new();
    for index in 0..SHARED {
        let of = if index % 2 == 0 { &first } else { &second };
        asked.push(of.deploy(&name(index), &commit).await.expect("deploy"));
    }
    // In the middle: some have begun, and not all have ended.
    let states = until("some deploys change the cluster", LIMIT, || async {
        let path = format!("/deploys?limit={SHARED}");
        let page: Page<DeploySummary> = second.get(&path).await?;
        let begun = page.items.iter().filter(|it| it.started_at.is_some());
        Ok((begun.count() >= 4).then_some(page.items))
    })
    .await
    .expect("begun");
    one.kill().await.expect("kill");
    assert!(states.iter().any(|it| !it.state.is_over()), "{states:#?}");

    for (index, asked) in asked.iter().enumerate() {
        let deploy = ends(&second, asked.id).await.expect("it ends");
        assert_eq!(deploy.summary.state, DeployState::Succeeded, "{deploy:#?}");
        let ends = deploy
            .timeline
            .iter()
            .filter(|it| it.state.is_over())
            .count();
        assert_eq!(ends, 1, "{deploy:#?}");
        let history = history(&second, &name(index)).await.expect("history");
        assert_eq!(history.len(), 1, "{history:#?}");
        let generation = generation(&played, &name(index)).await.expect("resource");
        assert_eq!(generation, 1, "{} was written twice", name(index));
    }
    forge
        .delete_repository(&repository)
        .await
        .expect("clean up");
    two.end().await.expect("it stops");
    played.clean_up().await.expect("clean up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_in_the_middle_of_a_deploy() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let forge = sandbox.forge().expect("forge");
    let mut postgres = Postgres::start().await.expect("PostgreSQL");
    postgres.create("hermez").await.expect("a database");
    let played = Played::start(&sandbox, unique("database"))
        .await
        .expect("played nodes");
    let (repository, url, clone) = Clone::of_new(&forge, "database").await.expect("repository");
    let server = Server::start(&sandbox, options(&postgres)).await;
    let server = server.expect("server");
    let hermez = server.hermez().expect("token");
    let name = played.namespace.clone();
    clone
        .write("service.yaml", config(&name, &played.namespace, "first"))
        .expect("write");
    clone
        .write("Dockerfile", "FROM scratch\nCOPY message.txt /\n")
        .expect("write");
    clone.write("message.txt", "database\n").expect("write");
    let commit = clone.commit_and_push("First").await.expect("push");
    hermez
        .create_workload(&ask(&url, "service.yaml"))
        .await
        .expect("created");
    let gates = json!({ "ready_seconds": 3, "checks": [], "auto_rollback": false });
    let path = format!("/workloads/{name}/gates");
    let _: Value = hermez.put(&path, &gates).await.expect("gates");
    hermez
        .artifact_available(&name, &commit, LIMIT)
        .await
        .expect("built");

    let asked = hermez.deploy(&name, &commit).await.expect("deploy");
    let states = [DeployState::RollingOut, DeployState::Verifying];
    let reached = hermez.deploy_reaches(asked.id, &states, LIMIT).await;
    let reached = reached.expect("it rolls out");
    assert!(!reached.summary.state.is_over(), "{reached:#?}");
    postgres.stop().await.expect("PostgreSQL stops");
    until("the server says that it is not ready", LIMIT, || async {
        Ok((hermez.anonymous_status("/readyz").await? != 200).then_some(()))
    })
    .await
    .expect("not ready");
    assert_eq!(
        hermez.anonymous_status("/healthz").await.expect("alive"),
        200,
        "a server without its database is not killed for it"
    );
    postgres.again().await.expect("PostgreSQL starts");

    let deploy = ends(&hermez, asked.id).await.expect("it ends");
    assert_eq!(deploy.summary.state, DeployState::Succeeded, "{deploy:#?}");
    let history = history(&hermez, &name).await.expect("history");
    assert_eq!(history.len(), 1, "{history:#?}");
    assert_eq!(generation(&played, &name).await.expect("resource"), 1);
    forge
        .delete_repository(&repository)
        .await
        .expect("clean up");
    server.end().await.expect("it stops");
    played.clean_up().await.expect("clean up");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_that_find_one_missed_push_deploy_it_once() {
    let sandbox = Sandbox::find().expect("a local cluster");
    let forge = sandbox.forge().expect("forge");
    let postgres = Postgres::start().await.expect("PostgreSQL");
    postgres.create("hermez").await.expect("a database");
    let played = Played::start(&sandbox, unique("missed"))
        .await
        .expect("played nodes");
    let (repository, url, clone) = Clone::of_new(&forge, "missed").await.expect("repository");
    let one = Server::start(&sandbox, options(&postgres)).await;
    let mut one = one.expect("the first server");
    let two = Server::start_beside(&sandbox, options(&postgres), &one).await;
    let mut two = two.expect("the second server");
    let hermez = one.hermez().expect("token");
    let name = played.namespace.clone();
    let write = |version: &str| {
        let text = config(&name, &played.namespace, version);
        clone.write("service.yaml", text).expect("write");
        clone.write("message.txt", version).expect("write");
    };
    clone
        .write("Dockerfile", "FROM scratch\nCOPY message.txt /\n")
        .expect("write");
    write("first");
    let first = clone.commit_and_push("First").await.expect("push");
    hermez
        .create_workload(&ask(&url, "service.yaml"))
        .await
        .expect("created");
    let asked = hermez.deploy(&name, &first).await.expect("deploy");
    ends(&hermez, asked.id).await.expect("it ends");
    let path = format!("/workloads/{name}");
    let auto = json!({ "auto_deploy": "main" });
    let _: Value = hermez.patch(&path, &auto).await.expect("auto deploy");

    one.stop().await.expect("it stops");
    two.stop().await.expect("it stops");
    write("second");
    let second = clone.commit_and_push("Second").await.expect("push");
    let (first_is_up, second_is_up) = tokio::join!(one.launch(), two.launch());
    first_is_up.expect("it starts");
    second_is_up.expect("it starts");
    let newest = until("the missed push is deployed", LIMIT, || async {
        let history = history(&hermez, &name).await?;
        Ok(history.into_iter().find(|it| it.commit == second))
    })
    .await
    .expect("a deploy");
    let deploy = ends(&hermez, newest.id).await.expect("it ends");
    assert_eq!(deploy.summary.state, DeployState::Succeeded, "{deploy:#?}");
    until("the push is on record", LIMIT, || async {
        let page: Page<hermez_api::AuditEntry> = hermez.get("/audit?action=push").await?;
        let done = page.items.iter().any(|it| it.outcome == "allowed");
        Ok(done.then_some(()))
    })
    .await
    .expect("on record");
    let history = history(&hermez, &name).await.expect("history");
    assert_eq!(history.len(), 2, "{history:#?}");
    assert_eq!(generation(&played, &name).await.expect("resource"), 2);
    forge
        .delete_repository(&repository)
        .await
        .expect("clean up");
    one.end().await.expect("it stops");
    two.end().await.expect("it stops");
    played.clean_up().await.expect("clean up");
}
