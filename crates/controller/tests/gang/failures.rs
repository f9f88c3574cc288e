//! Job sets that fail, are restarted, suspended, too slow or forgotten.

use hermez_kinds::PinterestJobSet;
use hermez_kinds::run::Phase;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::support::{Sandbox, within};
use crate::work::{holds, jobset, shell};

/// Goes on until it is told to end.
const FOREVER: &str = "trap 'exit 0' TERM; while :; do sleep 0.1; done";

fn failing(script: &str) -> Value {
    json!([
        {"name": "bad", "backofflimit": 0, "template": shell(script)},
        {"name": "good", "template": shell(FOREVER)},
    ])
}

#[tokio::test]
async fn without_a_policy_the_first_failure_is_the_sets() {
    within(async |sandbox| {
        let body = jobset(
            &sandbox.namespace,
            "fails",
            failing("sleep 0.5; exit 3"),
            json!({}),
        );
        sandbox.deploy(&body).await.expect("applied");
        let set = sandbox.set_is("fails", Phase::Failed).await;
        let status = set.status.expect("a status");
        let failed = holds(&status.conditions, "Failed").expect("failed");
        assert_eq!(failed.reason, "JobFailed");
        assert!(
            failed
                .message
                .starts_with("the job fails-bad-0 failed (BackoffLimitExceeded): "),
            "{failed:?}"
        );
        assert!(
            holds(&status.conditions, "Stalled")
                .is_some_and(|stalled| stalled.message == failed.message)
        );
        assert!(holds(&status.conditions, "Reconciling").is_none());
        // What ran is ended; what failed stays for its logs.
        sandbox.gone::<Job>("fails-good-0").await;
        assert_eq!(sandbox.jobs("fails").await.len(), 1);
        assert_eq!(sandbox.pods("fails").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_restart_is_of_all_groups_and_counted() {
    within(async |sandbox| {
        let script = r#"if [ "$HERMEZ_ATTEMPT" = 1 ]; then sleep 0.5; exit 3; fi"#;
        let more =
            json!({"failurepolicy": {"maxrestarts": 1}, "successpolicy": {"operator": "Any"}});
        let body = jobset(&sandbox.namespace, "again", failing(script), more);
        sandbox.deploy(&body).await.expect("applied");
        let set = sandbox.set_is("again", Phase::Completed).await;
        let run = set.status.expect("a status").run;
        assert_eq!((run.attempt, run.restarts), (2, 1));
        assert!(
            run.last_failure
                .is_some_and(|why| why.contains("again-bad-0"))
        );
        let jobs = sandbox.jobs("again").await;
        assert!(
            jobs.iter()
                .all(|job| job.labels()["pinterest.com/attempt"] == "2"),
            "{jobs:#?}"
        );
    })
    .await;
}

#[tokio::test]
async fn restarts_come_to_an_end_and_a_rule_may_say_otherwise() {
    within(async |sandbox| {
        let more = json!({"failurepolicy": {"maxrestarts": 1}});
        let body = jobset(&sandbox.namespace, "bound", failing("exit 3"), more);
        sandbox.deploy(&body).await.expect("applied");
        let more = json!({"failurepolicy": {"maxrestarts": 5, "rules": [
            {"action": "Fail", "groups": ["bad"], "reasons": ["BackoffLimitExceeded"]},
        ]}});
        let body = jobset(&sandbox.namespace, "ruled", failing("exit 3"), more);
        sandbox.deploy(&body).await.expect("applied");
        let bound = sandbox
            .set_is("bound", Phase::Failed)
            .await
            .status
            .expect("a status");
        assert_eq!((bound.run.attempt, bound.run.restarts), (2, 1));
        assert_eq!(bound.run.reason.as_deref(), Some("MaxRestartsExceeded"));
        let why = bound.run.last_failure.expect("a reason");
        assert!(
            why.ends_with("it was started again 1 times, the most that it may"),
            "{why}"
        );
        let ruled = sandbox
            .set_is("ruled", Phase::Failed)
            .await
            .status
            .expect("a status");
        assert_eq!((ruled.run.attempt, ruled.run.restarts), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn a_suspended_set_runs_nothing_keeps_what_is_done_and_goes_on() {
    within(async |sandbox| {
        // The second pod of the job ends only when somebody has made the ConfigMap that it mounts.
        let mut template =
            shell(r#"[ "$HERMEZ_INDEX" = 0 ] || until [ -e /go/on ]; do sleep 0.1; done"#);
        template["spec"]["volumes"] =
            json!([{"name": "go", "configMap": {"name": "go", "optional": true}}]);
        template["spec"]["containers"][0]["volumeMounts"] =
            json!([{"name": "go", "mountPath": "/go"}]);
        let groups = json!([{"name": "work", "parallelism": 2, "template": template}]);
        let body = jobset(&sandbox.namespace, "pause", groups, json!({}));
        sandbox.deploy(&body).await.expect("applied");
        let half = |set: &PinterestJobSet| {
            let status = set.status.clone().unwrap_or_default();
            status
                .groups
                .first()
                .is_some_and(|group| group.succeeded == 1 && group.ready == 1)
        };
        sandbox.until("pause", "half done", half).await;
        sandbox
            .edit::<PinterestJobSet>("pause", json!({"spec": {"suspend": true}}))
            .await;
        let set = sandbox.set_is("pause", Phase::Suspended).await;
        assert!(holds(&set.status.expect("a status").conditions, "Suspended").is_some());
        let still = |job: &Job| {
            job.status
                .as_ref()
                .is_some_and(|s| s.active.unwrap_or(0) == 0 && s.terminating.unwrap_or(0) == 0)
        };
        sandbox
            .until("pause-work-0", "without pods that run", still)
            .await;

        let go: ConfigMap =
            serde_json::from_value(json!({"metadata": {"name": "go"}, "data": {"on": ""}}))
                .expect("a ConfigMap");
        sandbox
            .api()
            .create(&kube::api::PostParams::default(), &go)
            .await
            .expect("made");
        sandbox
            .edit::<PinterestJobSet>("pause", json!({"spec": {"suspend": false}}))
            .await;
        let status = sandbox
            .set_is("pause", Phase::Completed)
            .await
            .status
            .expect("a status");
        assert_eq!((status.run.attempt, status.groups[0].succeeded), (1, 2));
    })
    .await;
}

#[tokio::test]
async fn what_is_too_slow_fails_and_what_is_over_is_forgotten_in_time() {
    within(async |sandbox| {
        let groups = json!([{"name": "slow", "template": shell(FOREVER)}]);
        let more = json!({"activedeadlineseconds": 2, "ttlsecondsafterfinished": 2});
        sandbox
            .deploy(&jobset(&sandbox.namespace, "slow", groups, more))
            .await
            .expect("applied");
        let status = sandbox
            .set_is("slow", Phase::Failed)
            .await
            .status
            .expect("a status");
        assert_eq!(status.run.reason.as_deref(), Some("DeadlineExceeded"));
        sandbox.gone::<Job>("slow-slow-0").await;
        sandbox.gone::<Service>("slow").await;
        let groups = json!([{"name": "work", "template": shell("true")}]);
        let more = json!({"ttlsecondsafterfinished": 2});
        sandbox
            .deploy(&jobset(&sandbox.namespace, "short", groups, more))
            .await
            .expect("applied");
        sandbox.set_is("short", Phase::Completed).await;
        sandbox.gone::<Job>("short-work-0").await;
        sandbox.gone::<Service>("short").await;
        let set: PinterestJobSet = sandbox.api().get("short").await.expect("the set stays");
        let status = set.status.expect("a status");
        assert_eq!(
            (status.run.phase, status.groups[0].succeeded),
            (Phase::Completed, 1)
        );
    })
    .await;
}

#[tokio::test]
async fn a_deleted_set_takes_everything_with_it() {
    within(async |sandbox| {
        let groups = json!([{"name": "work", "parallelism": 2, "template": shell(FOREVER)}]);
        sandbox
            .deploy(&jobset(&sandbox.namespace, "gone", groups, json!({})))
            .await
            .expect("applied");
        sandbox.set_is("gone", Phase::Running).await;
        sandbox
            .api::<PinterestJobSet>()
            .delete("gone", &DeleteParams::default())
            .await
            .expect("deleted");
        sandbox.gone::<Job>("gone-work-0").await;
        sandbox.gone::<Service>("gone").await;
        sandbox.no_pods("gone").await;
    })
    .await;
}

impl Sandbox {
    /// Waits until a workload has no pods.
    pub async fn no_pods(&self, workload: &str) {
        for pod in self.pods(workload).await {
            self.gone::<k8s_openapi::api::core::v1::Pod>(&pod.name_any())
                .await;
        }
        assert!(self.pods(workload).await.is_empty());
    }
}
