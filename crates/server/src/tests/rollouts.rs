//! Rollback, restart, pin, pause and comparison, as far as they need no cluster.

use hermez_api::{ApprovalRule, DeployKind, DeployState};
use hermez_store::{Applied, DeployRecord, DeployWrite, NewDeploy, Scope};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::TestServer;

/// A deploy that ran well, of the version with that digit.
pub async fn ran(server: &TestServer, workload_id: i64, digit: &str) -> DeployRecord {
    let write = DeployWrite {
        state: Some(DeployState::Succeeded),
        applied: Some(Applied {
            manifest: format!("r/m@sha256:{digit}"),
            paused: false,
        }),
        ..DeployWrite::default()
    };
    brought(server, workload_id, digit, &write).await
}

/// A deploy that came this far, of the version with that digit.
async fn brought(
    server: &TestServer,
    workload_id: i64,
    digit: &str,
    write: &DeployWrite,
) -> DeployRecord {
    let new = NewDeploy {
        workload_id,
        instance: "hello".to_owned(),
        commit: digit.repeat(40),
        title: "title".to_owned(),
        author: "ada".to_owned(),
        requested_by: "owner".to_owned(),
        reason: None,
        kind: DeployKind::Regular,
        of: None,
        override_reason: None,
    };
    let (store, now) = (&server.state.store, Timestamp::now());
    let deploy = store.request_deploy(&new, now).await.unwrap();
    let (lease, _) = store
        .acquire_deploy(deploy.id, "me", now, 30_000)
        .await
        .unwrap()
        .unwrap();
    let written = store.write_deploy(lease, write, now).await.unwrap();
    written.unwrap()
}

#[tokio::test]
async fn without_history_there_is_nothing_to_roll_back_to() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let path = "/api/v1/workloads/hello/rollback";
    assert_eq!(server.get(path).await.problem(), "nothing-to-roll-back");
    let post = server.post(path, &json!({})).await;
    assert_eq!(post.problem(), "nothing-to-roll-back");
    let restart = server
        .post("/api/v1/workloads/hello/restart", &json!({}))
        .await;
    assert_eq!(restart.problem(), "conflict");

    let only = ran(&server, workload.id, "a").await;
    assert_eq!(server.get(path).await.problem(), "nothing-to-roll-back");
    let same = server.post(path, &json!({ "to": only.id })).await;
    assert_eq!(same.problem(), "nothing-to-roll-back");
    assert!(same.text.contains("hermez restart"), "{}", same.text);
    let nobody = server
        .post("/api/v1/workloads/nobody/rollback", &json!({}))
        .await;
    assert_eq!(nobody.problem(), "workload-not-found");
}

#[tokio::test]
async fn a_rollback_pins_and_is_done_once_for_its_key() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let good = ran(&server, workload.id, "a").await;
    ran(&server, workload.id, "b").await;
    let path = "/api/v1/workloads/hello/rollback";
    let answer = server.post(path, &json!({ "reason": "it crashes" })).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let rollback = answer.json();
    assert_eq!(rollback["kind"], "rollback");
    assert_eq!(rollback["commit"], good.commit);
    let id = rollback["id"].as_i64().unwrap();
    let full = server.get(&format!("/api/v1/deploys/{id}")).await.json();
    assert_eq!(full["of_deploy"], good.id);
    assert_eq!(full["manifest"], "r/m@sha256:a");

    let pin = server.get("/api/v1/workloads/hello").await.json()["pin"].clone();
    assert_eq!(
        (pin["by"].as_str(), pin["reason"].as_str()),
        (Some("owner"), Some("it crashes"))
    );
    assert_eq!(pin["deploy_id"], id);
    for _ in 0..2 {
        let unpinned = server.delete("/api/v1/workloads/hello/pin").await;
        assert_eq!(unpinned.status, 204);
    }
    let after = server.get("/api/v1/workloads/hello").await.json();
    assert!(after["pin"].is_null(), "{after}");

    let record = server
        .get("/api/v1/audit?action=deploy.rollback")
        .await
        .json();
    assert_eq!(record["items"][0]["detail"]["reason"], "it crashes");
}

#[tokio::test]
async fn a_canary_is_left_before_what_runs_beside_it() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    ran(&server, workload.id, "a").await;
    let good = ran(&server, workload.id, "b").await;
    let to = |state| DeployWrite {
        state: Some(state),
        ..DeployWrite::default()
    };
    let canary = to(DeployState::Canary);
    let tried = brought(&server, workload.id, "c", &canary).await;
    let fix = json!({ "commits": ["d".repeat(40)] });
    let hotfix = server.post("/api/v1/workloads/hello/hotfixes", &fix).await;
    assert_eq!(hotfix.problem(), "conflict");
    assert!(hotfix.text.contains("changes what runs"), "{}", hotfix.text);

    let path = "/api/v1/workloads/hello/rollback";
    let stale = server.post(path, &json!({ "from": good.id })).await;
    assert_eq!(stale.problem(), "nothing-to-roll-back");
    let answer = server.post(path, &json!({ "from": tried.id })).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let id = answer.json()["id"].as_i64().unwrap();
    let full = server.get(&format!("/api/v1/deploys/{id}")).await.json();
    assert_eq!(full["left_deploy"], tried.id);
    assert_eq!(full["of_deploy"], good.id);
    let store = &server.state.store;
    let left = store.deploy(tried.id).await.unwrap().unwrap();
    assert!(left.cancel_requested);

    // When the canary is gone and the rollback waits, pressing again goes back no further.
    let later = Timestamp::now() + SignedDuration::from_mins(1);
    let (lease, _) = store
        .acquire_deploy(tried.id, "me", later, 30_000)
        .await
        .unwrap()
        .unwrap();
    let canceled = to(DeployState::Canceled);
    store.write_deploy(lease, &canceled, later).await.unwrap();
    let again = server.post(path, &json!({})).await;
    assert_eq!(again.problem(), "nothing-to-roll-back");
    let says = format!("eploy {id} is rolling `hello` back already");
    assert!(again.text.contains(&says), "{}", again.text);
}

#[tokio::test]
async fn a_rollback_that_must_be_approved_says_so_at_once() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    ran(&server, workload.id, "a").await;
    ran(&server, workload.id, "b").await;
    let rule = ApprovalRule {
        count: 1,
        people: Vec::new(),
        role: Some("owner".to_owned()),
        rollback_needs_approval: true,
    };
    let (store, scope) = (&server.state.store, Scope::Workload(workload.id));
    store
        .set_approvals(&scope, Some(&rule), "owner", Timestamp::now())
        .await
        .unwrap();
    let path = "/api/v1/workloads/hello/rollback";
    let asked = server.post(path, &json!({})).await.json();
    assert_eq!(asked["held"]["rule"], "approval", "{asked}");
}

#[tokio::test]
async fn a_deploy_is_held_and_let_go_on_as_often_as_one_likes() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    ran(&server, workload.id, "a").await;
    let restart = server
        .post("/api/v1/workloads/hello/restart", &json!({}))
        .await;
    assert_eq!(restart.json()["kind"], "restart", "{}", restart.text);
    let id = restart.json()["id"].as_i64().unwrap();
    for (verb, by) in [
        ("pause", json!("owner")),
        ("pause", json!("owner")),
        ("resume", json!(null)),
    ] {
        let answer = server
            .post(&format!("/api/v1/deploys/{id}/{verb}"), &json!({}))
            .await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(answer.json()["paused_by"], by);
    }
    let missing = server.post("/api/v1/deploys/999/pause", &json!({})).await;
    assert_eq!(missing.problem(), "deploy-not-found");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_said_to_be() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let one = ran(&server, workload.id, "a").await;
    let path = "/api/v1/workloads/hello/deploys";
    for body in [
        json!({}),
        json!({ "commit": "abcd", "latest": true }),
        json!({ "commit": "abcd", "branch": "main" }),
    ] {
        assert_eq!(
            server.post(path, &body).await.problem(),
            "invalid-body",
            "{body}"
        );
    }
    let compare = server
        .get(&format!("/api/v1/deploys/{}/compare/999", one.id))
        .await;
    assert_eq!(compare.problem(), "deploy-not-found");
    let other = server.workload("other").await;
    let two = ran(&server, other.id, "b").await;
    let compare = server
        .get(&format!("/api/v1/deploys/{}/compare/{}", one.id, two.id))
        .await;
    assert_eq!(compare.problem(), "invalid-body");
    let filtered = server.get("/api/v1/deploys?kind=rollback").await.json();
    assert_eq!(filtered["items"].as_array().unwrap().len(), 0);
    let filtered = server
        .get("/api/v1/deploys?commit=AAAA&by=owner&workload=hello")
        .await
        .json();
    assert_eq!(filtered["items"].as_array().unwrap().len(), 1);
    for list in ["/deploys", "/workloads/hello/deploys"] {
        for never in [
            "since=2026-11-25T10:00:00Z&until=2026-11-24T10:00:00Z",
            "commit=zzz",
        ] {
            let refused = server.get(&format!("/api/v1{list}?{never}")).await;
            assert_eq!(refused.problem(), "invalid-parameter", "{list} {never}");
            assert!(refused.json()["hint"].is_string(), "{}", refused.text);
        }
    }
}

#[tokio::test]
async fn a_revert_is_of_a_rollback_and_takes_a_forge() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let good = ran(&server, workload.id, "a").await;
    ran(&server, workload.id, "b").await;
    let revert = async |id: i64| {
        let path = format!("/api/v1/deploys/{id}/revert");
        server.post(&path, &json!({})).await
    };
    assert_eq!(revert(99).await.problem(), "deploy-not-found");
    let regular = revert(good.id).await;
    assert_eq!(regular.problem(), "conflict");
    assert!(regular.text.contains("is no rollback"), "{}", regular.text);
    let path = "/api/v1/workloads/hello/rollback";
    let rollback = server.post(path, &json!({})).await.json();
    let id = rollback["id"].as_i64().unwrap();
    let without = revert(id).await;
    assert_eq!(without.problem(), "conflict");
    assert!(without.text.contains("--forge"), "{}", without.text);
    let full = server.get(&format!("/api/v1/deploys/{id}")).await.json();
    assert!(full["revert"].is_null(), "{full}");
    assert_eq!(full["left_deploy"], good.id + 1);
    let record = server
        .get("/api/v1/audit?action=deploy.revert")
        .await
        .json();
    assert_eq!(record["items"].as_array().unwrap().len(), 2);
}
