//! Receipts: once, with the state, kept; and what they are made of while a deploy goes on.

use hermez_api::{DeployState, Evidence, FailedContainer, ReceiptLine};
use hermez_store::{Aftermath, Applied, DeployWrite, StoreError};

use super::deploys::mk_deploy;
use super::rollbacks::{apply, mk_revert, mk_rollback};
use super::{at, open};

const LEASE_MS: i64 = 15_000;

fn mk_evidence(sentence: &str) -> Evidence {
    Evidence {
        gathered_at: at(5),
        took_ms: 7,
        cause: "crash_loop".to_owned(),
        sentence: sentence.to_owned(),
        next_step: "Mend it.".to_owned(),
        containers: Vec::new(),
        // What PostgreSQL's text cannot hold as it is.
        build_lines: vec![ReceiptLine {
            at: Some(at(4)),
            text: "a\0b \u{1b} 'quoted' ü".to_owned(),
        }],
        events: Vec::new(),
        compared_with: Some(1),
        manifest_diff: String::new(),
        images: Vec::new(),
        coming: Vec::new(),
        leaving: Vec::new(),
        more_commits: false,
        rollback: None,
        missing: Vec::new(),
    }
}

fn failed(evidence: Evidence) -> DeployWrite {
    DeployWrite {
        state: Some(DeployState::Failed),
        message: Some(evidence.sentence.clone()),
        failure_cause: Some(evidence.cause.clone()),
        evidence: Some(Box::new(evidence)),
        ..DeployWrite::default()
    }
}

pub async fn a_receipt_is_written_once_with_the_state(url: &str) {
    let store = open(url).await;
    let deploy = mk_deploy(&store, "hello", 1).await;
    assert_eq!(store.receipt(deploy.id).await.unwrap(), None);
    let acquire = async || {
        let acquired = store.acquire_deploy(deploy.id, "me", at(1), LEASE_MS).await;
        acquired.unwrap().unwrap().0
    };
    let lost = acquire().await;
    store.release_deploy(lost).await.unwrap();
    let held = acquire().await;
    // A server that lost its lease while it gathered writes nothing.
    let late = store
        .write_deploy(lost, &failed(mk_evidence("late")), at(2))
        .await;
    assert!(
        matches!(late, Err(StoreError::LeaseLost { .. })),
        "{late:?}"
    );
    assert_eq!(store.receipt(deploy.id).await.unwrap(), None);

    let applied = DeployWrite {
        state: Some(DeployState::RollingOut),
        applied: Some(Applied {
            manifest: "r/m@sha256:0".to_owned(),
            paused: false,
        }),
        ..DeployWrite::default()
    };
    store.write_deploy(held, &applied, at(2)).await.unwrap();
    let evidence = mk_evidence("The pod crashes");
    store
        .write_deploy(held, &failed(evidence.clone()), at(3))
        .await
        .unwrap();
    let receipt = store.receipt(deploy.id).await.unwrap().unwrap();
    assert_eq!(receipt.evidence, evidence);
    assert_eq!(receipt.deploy.state, DeployState::Failed);
    assert!(receipt.is_current);
    let again = store
        .write_deploy(held, &failed(mk_evidence("again")), at(4))
        .await;
    assert!(again.is_err(), "it has ended");
    let kept = store.receipt(deploy.id).await.unwrap().unwrap();
    assert_eq!(kept.evidence.sentence, "The pod crashes");
}

pub async fn a_receipt_knows_when_something_newer_came(url: &str) {
    let store = open(url).await;
    let mut last = None;
    for (n, state) in [
        (1, DeployState::Succeeded),
        (2, DeployState::Failed),
        (3, DeployState::Succeeded),
    ] {
        let deploy = mk_deploy(&store, "hello", n).await;
        let acquired = store.acquire_deploy(deploy.id, "me", at(1), LEASE_MS).await;
        let (lease, _) = acquired.unwrap().unwrap();
        let write = DeployWrite {
            applied: Some(Applied {
                manifest: format!("r/m@sha256:{n}"),
                paused: false,
            }),
            ..failed(mk_evidence("no"))
        };
        let write = if state == DeployState::Failed {
            write
        } else {
            DeployWrite {
                state: Some(state),
                evidence: None,
                ..write
            }
        };
        store.write_deploy(lease, &write, at(2)).await.unwrap();
        match (state, last) {
            (DeployState::Failed, _) => {
                assert!(store.receipt(deploy.id).await.unwrap().unwrap().is_current);
                let good = store.good_deploy_before(&deploy).await;
                assert_eq!(good.unwrap().map(|good| good.id), last);
                last = Some(deploy.id);
            }
            (_, Some(before)) => {
                let receipt = store.receipt(before).await.unwrap().unwrap();
                assert!(!receipt.is_current, "deploy {} came since", deploy.id);
            }
            (_, None) => last = Some(deploy.id),
        }
    }
}

pub async fn a_receipt_leads_to_its_rollback_and_revert(url: &str) {
    let store = open(url).await;
    let good = mk_deploy(&store, "hello", 1).await;
    let good = apply(&store, good.id, DeployState::Succeeded).await;
    let bad = mk_deploy(&store, "hello", 2).await;
    let acquired = store.acquire_deploy(bad.id, "me", at(1), LEASE_MS).await;
    let (lease, _) = acquired.unwrap().unwrap();
    let write = DeployWrite {
        applied: Some(Applied {
            manifest: "r/m@sha256:2".to_owned(),
            paused: false,
        }),
        ..failed(mk_evidence("no"))
    };
    let left = store.write_deploy(lease, &write, at(2)).await;
    let left = left.unwrap().unwrap();
    let receipt = store.receipt(bad.id).await.unwrap().unwrap();
    assert_eq!((receipt.rolled_back_by, receipt.revert), (None, None));
    let aftermath = Aftermath {
        left,
        bad: Vec::new(),
        reason: "it crashes".to_owned(),
    };
    let back = mk_rollback(&good);
    let back = store.request_rollback(&back, &aftermath, None, at(9)).await;
    let back = back.unwrap();
    let receipt = store.receipt(bad.id).await.unwrap().unwrap();
    assert_eq!(
        (receipt.rolled_back_by, receipt.revert),
        (Some(back.id), None)
    );
    let revert = mk_revert(back.id, bad.id);
    store.keep_revert(back.id, &revert).await.unwrap();
    let receipt = store.receipt(bad.id).await.unwrap().unwrap();
    assert_eq!(receipt.revert, Some(revert));
}

fn mk_container(pod: &str) -> FailedContainer {
    FailedContainer {
        pod: pod.to_owned(),
        container: "app".to_owned(),
        gone: false,
        state: "CrashLoopBackOff".to_owned(),
        message: None,
        exit_code: Some(3),
        restarts: 1,
        // What PostgreSQL's text cannot hold as it is.
        lines: vec![ReceiptLine {
            at: Some(at(4)),
            text: "a\0b \u{1b} 'quoted' ü".to_owned(),
        }],
    }
}

pub async fn what_failed_is_kept_until_the_deploy_ends(url: &str) {
    let store = open(url).await;
    let deploy = mk_deploy(&store, "hello", 1).await;
    let other = mk_deploy(&store, "other", 2).await;
    let acquire = async |id| {
        let acquired = store.acquire_deploy(id, "me", at(1), LEASE_MS).await;
        acquired.unwrap().unwrap().0
    };
    let kept = async |id| store.kept_containers(id).await.unwrap();
    let (lost, beside) = (acquire(deploy.id).await, acquire(other.id).await);
    assert!(kept(deploy.id).await.is_empty());
    let one = [mk_container("a")];
    store.keep_containers(lost, &one).await.unwrap();
    store.keep_containers(beside, &one).await.unwrap();
    assert_eq!(kept(deploy.id).await, one);

    // The next server goes on with it, and the one before writes nothing any more.
    store.release_deploy(lost).await.unwrap();
    let held = acquire(deploy.id).await;
    assert_eq!(kept(deploy.id).await, one);
    let both = [mk_container("a"), mk_container("b")];
    store.keep_containers(held, &both).await.unwrap();
    let late = store.keep_containers(lost, &one).await;
    assert!(
        matches!(late, Err(StoreError::LeaseLost { .. })),
        "{late:?}"
    );
    assert_eq!(kept(deploy.id).await, both);

    let end = DeployWrite {
        forget_containers: true,
        ..failed(mk_evidence("The pod crashes"))
    };
    store.write_deploy(held, &end, at(3)).await.unwrap();
    assert!(kept(deploy.id).await.is_empty(), "the receipt has it now");
    let after = store.keep_containers(held, &both).await;
    assert!(
        matches!(after, Err(StoreError::LeaseLost { .. })),
        "{after:?}"
    );
    assert!(kept(deploy.id).await.is_empty());
    assert_eq!(kept(other.id).await, one, "another deploy's stays");
    let canceled = DeployWrite {
        state: Some(DeployState::Canceled),
        forget_containers: true,
        ..DeployWrite::default()
    };
    store.write_deploy(beside, &canceled, at(4)).await.unwrap();
    assert!(kept(other.id).await.is_empty());
}
