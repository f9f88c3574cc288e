//! Runs by hand, as kubectl makes them, and what is remembered of them.

use hermez_kinds::names::WORKLOAD_LABEL;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;

use crate::helpers::{apply, ended, kubectl, settled, until};
use crate::support::within;

#[tokio::test]
async fn a_run_by_hand_is_in_the_history() {
    within(async |sandbox| {
        apply(&sandbox, "true", json!({"suspend": true}))
            .await
            .expect("applied");
        settled(&sandbox).await;
        kubectl(
            &sandbox,
            &["create", "job", "--from=cronjob/hello", "by-hand"],
        )
        .await
        .expect("made");
        let run = ended(&sandbox).await;
        assert_eq!(run.name, "by-hand");
        assert_eq!(
            (run.trigger.as_str(), run.outcome.as_str()),
            ("Manual", "Succeeded")
        );
        let job: Job = sandbox.api().get("by-hand").await.expect("there");
        assert_eq!(job.labels()[WORKLOAD_LABEL], "hello");
    })
    .await;
}

#[tokio::test]
async fn what_became_of_a_run_outlives_its_job() {
    within(async |sandbox| {
        apply(&sandbox, "sleep 600", json!({}))
            .await
            .expect("applied");
        settled(&sandbox).await;
        kubectl(&sandbox, &["create", "job", "--from=cronjob/hello", "cut"])
            .await
            .expect("made");
        until(&sandbox, "running", |status| status.active_runs == 1).await;
        let params = DeleteParams::background();
        let _ = sandbox
            .api::<Job>()
            .delete("cut", &params)
            .await
            .expect("deleted");
        let run = ended(&sandbox).await;
        assert_eq!(
            (run.name.as_str(), run.outcome.as_str()),
            ("cut", "Deleted")
        );
        assert!(run.ended_at.is_some());
    })
    .await;
}
