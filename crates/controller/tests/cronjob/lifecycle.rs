//! What happens to a cron job from its making to its end.

use hermez_kinds::PinterestCronJob;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use crate::helpers::{apply, ended, kubectl, said, settled, until};
use crate::support::within;

#[tokio::test]
async fn it_fires_is_suspended_and_fires_again() {
    within(async |sandbox| {
        let every_minute = json!({"schedule": "* * * * *"});
        apply(&sandbox, "echo fired", every_minute)
            .await
            .expect("applied");
        let first = until(&sandbox, "fired", |status| {
            status.last_successful_time.is_some() && status.active_runs == 0
        })
        .await;
        assert!(first.last_schedule_time.is_some());
        let run = &first.runs[0];
        assert_eq!(
            (run.trigger.as_str(), run.outcome.as_str()),
            ("Schedule", "Succeeded")
        );
        assert!(run.started_at.is_some() && run.ended_at.is_some());
        assert_eq!((run.succeeded_pods, run.failed_pods), (1, 0));
        assert_eq!(first.next_schedule_times.len(), 3);
        let (truth, _, message) = said(&first, "Available").expect("said");
        assert!(truth == "True" && message.contains("Etc/UTC"), "{message}");

        // As a person does, with another tool.
        sandbox
            .edit::<PinterestCronJob>("hello", json!({"spec": {"suspend": true}}))
            .await;
        let suspended = until(&sandbox, "suspended", |status| status.suspended).await;
        assert!(suspended.next_schedule_times.is_empty());
        assert_eq!(said(&suspended, "Available").expect("said").1, "Suspended");
        sandbox
            .until("hello", "suspended", |cron: &CronJob| {
                cron.spec.as_ref().and_then(|spec| spec.suspend) == Some(true)
            })
            .await;

        sandbox
            .edit::<PinterestCronJob>("hello", json!({"spec": {"suspend": false}}))
            .await;
        let before = suspended.runs.len();
        let again = until(&sandbox, "fired again", |status| {
            status.runs.len() > before && status.runs[0].outcome == "Succeeded"
        })
        .await;
        assert!(again.last_schedule_time > suspended.last_schedule_time);
    })
    .await;
}

#[tokio::test]
async fn a_failed_run_is_tried_again_and_told() {
    within(async |sandbox| {
        apply(&sandbox, "exit 3", json!({"backofflimit": 1}))
            .await
            .expect("applied");
        settled(&sandbox).await;
        kubectl(
            &sandbox,
            &["create", "job", "--from=cronjob/hello", "failing"],
        )
        .await
        .expect("made");
        let run = ended(&sandbox).await;
        assert_eq!(
            (run.name.as_str(), run.outcome.as_str()),
            ("failing", "Failed")
        );
        assert_eq!(run.failed_pods, 2, "once, and once again");
        let why = run.message.expect("a message");
        assert!(why.contains("backoff limit"), "{why}");
        let status = settled(&sandbox).await;
        let (truth, reason, message) = said(&status, "Available").expect("said");
        assert_eq!((truth.as_str(), reason.as_str()), ("False", "RunFailed"));
        assert!(message.starts_with("the run failing failed: "), "{message}");
    })
    .await;
}

#[tokio::test]
async fn a_container_that_starts_again_succeeds_in_the_same_pod() {
    within(async |sandbox| {
        let script = "test -f /tries/one && exit 0; touch /tries/one; exit 1";
        let mut body =
            crate::helpers::cron_job(&sandbox, script, &json!({"restartpolicy": "OnFailure"}));
        let pod = &mut body["spec"]["template"]["spec"];
        pod["volumes"] = json!([{"name": "tries", "emptyDir": {}}]);
        pod["containers"][0]["volumeMounts"] = json!([{"name": "tries", "mountPath": "/tries"}]);
        let template = body["spec"]["template"].clone();
        let more = json!({"restartpolicy": "OnFailure", "template": template});
        apply(&sandbox, script, more).await.expect("applied");
        settled(&sandbox).await;
        kubectl(
            &sandbox,
            &["create", "job", "--from=cronjob/hello", "twice"],
        )
        .await
        .expect("made");
        let run = ended(&sandbox).await;
        assert_eq!((run.outcome.as_str(), run.failed_pods), ("Succeeded", 0));
        let pods = sandbox
            .api::<Pod>()
            .list(&ListParams::default())
            .await
            .expect("listed");
        assert_eq!(pods.items.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_reconcile_without_a_difference_writes_nothing() {
    within(async |sandbox| {
        apply(&sandbox, "true", json!({"configs": {"A": "b"}}))
            .await
            .expect("applied");
        settled(&sandbox).await;
        let version = async || {
            let cron: CronJob = sandbox.api().get("hello").await.expect("there");
            let map: ConfigMap = sandbox.api().get("hello-configs").await.expect("there");
            (cron.resource_version(), map.resource_version())
        };
        let before = version().await;
        for round in 0..3 {
            let touch = json!({"metadata": {"annotations": {"touched": round.to_string()}}});
            let touched = sandbox.edit::<PinterestCronJob>("hello", touch).await;
            sandbox.idle().await;
            let now: PinterestCronJob = sandbox.api().get("hello").await.expect("there");
            assert_eq!(touched.status, now.status);
        }
        assert_eq!(version().await, before);
    })
    .await;
}

#[tokio::test]
async fn its_end_is_the_end_of_its_runs() {
    within(async |sandbox| {
        apply(&sandbox, "sleep 600", json!({}))
            .await
            .expect("applied");
        settled(&sandbox).await;
        kubectl(&sandbox, &["create", "job", "--from=cronjob/hello", "long"])
            .await
            .expect("made");
        let status = until(&sandbox, "running", |status| status.ready_pods == 1).await;
        assert_eq!((status.active_runs, status.desired_pods), (1, 1));
        let pods = sandbox
            .api::<Pod>()
            .list(&ListParams::default())
            .await
            .expect("listed");
        assert_eq!(pods.items[0].labels()["pinterest.com/workload"], "hello");
        let params = DeleteParams::background();
        let _ = sandbox
            .api::<PinterestCronJob>()
            .delete("hello", &params)
            .await
            .expect("deleted");
        sandbox.gone::<CronJob>("hello").await;
        sandbox.gone::<Job>("long").await;
        sandbox.gone::<Pod>(&pods.items[0].name_any()).await;
    })
    .await;
}

#[tokio::test]
async fn it_can_be_deleted_without_what_it_made() {
    within(async |sandbox| {
        apply(&sandbox, "true", json!({})).await.expect("applied");
        settled(&sandbox).await;
        let delete = ["delete", "pinterestcronjob", "hello", "--cascade=orphan"];
        kubectl(&sandbox, &delete).await.expect("deleted");
        sandbox.gone::<PinterestCronJob>("hello").await;
        sandbox
            .until("hello", "left alone", |cron: &CronJob| {
                cron.owner_references().is_empty()
            })
            .await;
    })
    .await;
}
