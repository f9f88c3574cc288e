//! Receipts over the API.

use hermez_api::{DeployKind, DeployState, Evidence, Receipt};
use hermez_store::{Applied, DeployRecord, DeployWrite, NewDeploy};
use jiff::Timestamp;

use super::TestServer;

async fn ended(
    server: &TestServer,
    workload_id: i64,
    state: DeployState,
    evidence: Option<Evidence>,
) -> DeployRecord {
    let new = NewDeploy {
        workload_id,
        instance: "hello".to_owned(),
        commit: "a".repeat(40),
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
    let acquired = store.acquire_deploy(deploy.id, "me", now, 30_000).await;
    let (lease, _) = acquired.unwrap().unwrap();
    let write = DeployWrite {
        state: Some(state),
        message: Some("The pod crashes".to_owned()),
        failure_cause: evidence.as_ref().map(|it| it.cause.clone()),
        evidence: evidence.map(Box::new),
        applied: Some(Applied {
            manifest: "r/m@sha256:a".to_owned(),
            paused: false,
        }),
        ..DeployWrite::default()
    };
    let ended = store.write_deploy(lease, &write, now).await.unwrap();
    ended.unwrap()
}

#[tokio::test]
async fn a_failed_deploy_has_a_receipt_and_others_say_why_not() {
    let server = TestServer::start().await;
    let workload = server.workload("hello").await;
    let evidence = Evidence {
        gathered_at: Timestamp::UNIX_EPOCH,
        took_ms: 12,
        cause: "crash_loop".to_owned(),
        sentence: "The pod crashes".to_owned(),
        next_step: "Mend it.".to_owned(),
        containers: Vec::new(),
        build_lines: Vec::new(),
        events: Vec::new(),
        compared_with: None,
        manifest_diff: String::new(),
        images: Vec::new(),
        coming: Vec::new(),
        leaving: Vec::new(),
        more_commits: false,
        rollback: None,
        missing: vec!["nothing to compare with".to_owned()],
    };
    let failed = ended(
        &server,
        workload.id,
        DeployState::Failed,
        Some(evidence.clone()),
    )
    .await;
    let path = |id: i64| format!("/api/v1/deploys/{id}/receipt");
    let answer = server.get(&path(failed.id)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let receipt: Receipt = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(receipt.evidence, evidence);
    assert_eq!((receipt.deploy.id, receipt.is_current), (failed.id, true));

    let succeeded = ended(&server, workload.id, DeployState::Succeeded, None).await;
    let answer = server.get(&path(succeeded.id)).await;
    assert_eq!(answer.problem(), "receipt-not-found");
    assert!(answer.text.contains("did not fail"), "{}", answer.text);
    let receipt = server.get(&path(failed.id)).await.json();
    assert_eq!(
        receipt["is_current"], false,
        "another one was deployed since"
    );

    let missing = server.get(&path(999)).await;
    assert_eq!(missing.problem(), "deploy-not-found");
    let before = ended(&server, workload.id, DeployState::Failed, None).await;
    let answer = server.get(&path(before.id)).await;
    assert!(
        answer.text.contains("before there were receipts"),
        "{}",
        answer.text
    );
}
