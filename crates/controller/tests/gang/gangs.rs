//! Gangs that start together or not at all.

use hermez_kinds::PinterestTrainingJob;
use hermez_kinds::run::Phase;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota, Service};
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::support::{Sandbox, within};
use crate::work::{container, holds, shell, training};

fn waiting(job: &PinterestTrainingJob) -> String {
    let status = job.status.clone().unwrap_or_default();
    status.run.waiting.unwrap_or_default()
}

fn is_held(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    spec.is_some_and(|spec| {
        spec.node_name.is_none()
            && spec
                .scheduling_gates
                .as_ref()
                .is_some_and(|gates| gates.len() == 1)
    })
}

fn workers(count: i32, cpu: &str) -> Value {
    let template = container(json!({
        "command": ["true"],
        "resources": {"requests": {"cpu": cpu}},
    }));
    json!([{"role": "worker", "replicas": count, "template": template}])
}

#[tokio::test]
async fn a_gang_that_cannot_fit_starts_no_container_and_says_what_is_short() {
    within(async |sandbox| {
        let body = training(&sandbox.namespace, "big", workers(4, "900m"), json!({}));
        sandbox.deploy(&body).await.expect("applied");
        let short = |job: &PinterestTrainingJob| waiting(job).starts_with("room: ");
        let job: PinterestTrainingJob = sandbox.until("big", "short of room", short).await;
        let words = waiting(&job);
        assert!(
            words.contains("of 4 pods find no node; short of ") && words.contains(" cpu"),
            "{words}"
        );
        let status = job.status.expect("a status");
        assert_eq!(status.run.phase, Phase::Waiting);
        let reconciling = holds(&status.conditions, "Reconciling").expect("at work");
        assert_eq!(reconciling.message, format!("waits for {words}"));
        // One alone would have fitted, and is held back with the others.
        let pods = sandbox.pods("big").await;
        assert_eq!(pods.len(), 4);
        assert!(pods.iter().all(is_held), "{pods:#?}");
        // As soon as all fit, all go: a smaller gang is another run.
        let body = training(&sandbox.namespace, "big", workers(4, "10m"), json!({}));
        sandbox.deploy(&body).await.expect("applied");
        let status = sandbox
            .training_is("big", Phase::Completed)
            .await
            .status
            .expect("a status");
        assert_eq!((status.run.attempt, status.run.restarts), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn what_no_node_has_is_named() {
    within(async |sandbox| {
        let mut members = workers(2, "10m");
        members[0]["template"]["spec"]["containers"][0]["resources"]["limits"] =
            json!({"nvidia.com/gpu": 1});
        sandbox
            .deploy(&training(&sandbox.namespace, "gpu", members, json!({})))
            .await
            .expect("applied");
        let mut members = workers(2, "10m");
        members[0]["template"]["spec"]["nodeselector"] = json!({"disk": "fast"});
        sandbox
            .deploy(&training(&sandbox.namespace, "label", members, json!({})))
            .await
            .expect("applied");
        let short = |job: &PinterestTrainingJob| waiting(job).starts_with("room: ");
        let gpu: PinterestTrainingJob = sandbox.until("gpu", "short of room", short).await;
        assert_eq!(
            waiting(&gpu),
            "room: 2 of 2 pods find no node; short of 2 nvidia.com/gpu"
        );
        let label: PinterestTrainingJob = sandbox.until("label", "short of room", short).await;
        assert!(
            waiting(&label).contains("no node has the labels"),
            "{}",
            waiting(&label)
        );
        for pod in sandbox.pods("gpu").await {
            let limits = pod
                .spec
                .and_then(|spec| spec.containers[0].resources.clone())
                .and_then(|r| r.limits);
            assert_eq!(limits.expect("limits")["nvidia.com/gpu"].0, "1");
        }
    })
    .await;
}

#[tokio::test]
async fn half_a_gang_is_given_up_and_tried_again() {
    within(async |sandbox| {
        // The estimate leaves affinities to the scheduler, which finds no node.
        let mut members = workers(2, "10m");
        members[0]["template"]["spec"]["affinity"] = json!({"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["fast"]}]},
            ]},
        }});
        let more = json!({"gangtimeoutseconds": 2});
        sandbox
            .deploy(&training(&sandbox.namespace, "half", members, more))
            .await
            .expect("applied");
        let given_up = |job: &PinterestTrainingJob| {
            let run = job.status.clone().unwrap_or_default().run;
            run.requeues == 1 && run.phase == Phase::Restarting && run.not_before.is_some()
        };
        let job: PinterestTrainingJob = sandbox.until("half", "given up", given_up).await;
        let run = job.status.expect("a status").run;
        assert_eq!(
            run.last_failure.as_deref(),
            Some("2 of 2 pods got no node within gangtimeoutseconds (2 s)")
        );
        assert_eq!(
            (run.attempt, run.restarts),
            (2, 0),
            "it is not the gang's own failure"
        );
        sandbox.gone::<Job>("half-worker").await;
        sandbox.no_pods("half").await;
    })
    .await;
}

#[tokio::test]
async fn a_gang_whose_pods_cannot_all_be_made_waits_until_they_can() {
    within(async |sandbox| {
        let quota = |pods: &str| -> ResourceQuota {
            serde_json::from_value(
                json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": pods}}}),
            )
            .expect("a quota")
        };
        sandbox
            .api()
            .create(&PostParams::default(), &quota("2"))
            .await
            .expect("made");
        let counted = |quota: &ResourceQuota| {
            quota
                .status
                .as_ref()
                .is_some_and(|status| status.hard.is_some())
        };
        sandbox
            .until::<ResourceQuota>("few", "counted", counted)
            .await;
        sandbox
            .deploy(&training(
                &sandbox.namespace,
                "quota",
                workers(3, "10m"),
                json!({}),
            ))
            .await
            .expect("applied");
        let two =
            |job: &PinterestTrainingJob| waiting(job) == "its pods to be made: 2 of 3 are there";
        sandbox
            .until::<PinterestTrainingJob>("quota", "two pods", two)
            .await;
        assert!(sandbox.pods("quota").await.iter().all(is_held));
        sandbox
            .edit::<ResourceQuota>("few", json!({"spec": {"hard": {"pods": "9"}}}))
            .await;
        sandbox.training_is("quota", Phase::Completed).await;
    })
    .await;
}

#[tokio::test]
async fn a_failed_gang_says_why_and_a_suspended_one_starts_again() {
    within(async |sandbox| {
        let bad = "if [ $HERMEZ_RANK = 1 ]; then echo 'out of memory' > /dev/termination-log; exit 9; fi; sleep 30";
        let members = json!([{"role": "worker", "replicas": 2, "template": shell(bad)}]);
        sandbox.deploy(&training(&sandbox.namespace, "bad", members, json!({"maxrestarts": 0}))).await.expect("applied");
        let forever = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
        let members = json!([{"role": "worker", "replicas": 2, "template": shell(forever)}]);
        sandbox.deploy(&training(&sandbox.namespace, "pause", members, json!({}))).await.expect("applied");

        let status = sandbox.training_is("bad", Phase::Failed).await.status.expect("a status");
        let why = status.run.last_failure.expect("a reason");
        assert!(why.starts_with("the member bad-worker-1-") && why.contains("container work ended with exit code 9 (Error): out of memory"), "{why}");
        assert!(holds(&status.conditions, "Stalled").is_some());

        sandbox.training_is("pause", Phase::Running).await;
        sandbox.edit::<PinterestTrainingJob>("pause", json!({"spec": {"suspend": true}})).await;
        sandbox.training_is("pause", Phase::Suspended).await;
        sandbox.gone::<Job>("pause-worker").await;
        sandbox.no_pods("pause").await;
        sandbox.edit::<PinterestTrainingJob>("pause", json!({"spec": {"suspend": false}})).await;
        let status = sandbox.training_is("pause", Phase::Running).await.status.expect("a status");
        assert_eq!((status.run.attempt, status.run.restarts), (2, 0));
        sandbox.api::<PinterestTrainingJob>().delete("pause", &DeleteParams::default()).await.expect("deleted");
        sandbox.gone::<Job>("pause-worker").await;
        sandbox.gone::<Service>("pause").await;
        sandbox.no_pods("pause").await;
    })
    .await;
}

impl Sandbox {
    /// Nothing is written while nothing changes: the version of an object after some reconciles.
    pub async fn version(&self, name: &str) -> Option<String> {
        let job: PinterestTrainingJob = self.api().get(name).await.expect("there");
        job.metadata.resource_version
    }
}

#[tokio::test]
async fn a_gang_that_runs_writes_nothing() {
    within(async |sandbox| {
        let forever = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
        let members = json!([{"role": "worker", "replicas": 2, "template": shell(forever)}]);
        sandbox
            .deploy(&training(&sandbox.namespace, "calm", members, json!({})))
            .await
            .expect("applied");
        let ready = |job: &PinterestTrainingJob| {
            job.status
                .as_ref()
                .is_some_and(|status| status.ready_pods == 2)
        };
        sandbox
            .until::<PinterestTrainingJob>("calm", "ready", ready)
            .await;
        // Kubernetes' own controller has its say about the job a little later.
        let seen = |job: &Job| job.status.as_ref().and_then(|status| status.ready) == Some(2);
        sandbox
            .until::<Job>("calm-worker", "seen to be ready", seen)
            .await;
        let jobs = sandbox.jobs("calm").await;
        // Each touch is a reconcile; the one write after it is the touch itself.
        for round in 0..3 {
            let touch = json!({"metadata": {"annotations": {"touched": round.to_string()}}});
            let touched: PinterestTrainingJob = sandbox.edit("calm", touch).await;
            sandbox.idle().await;
            assert_eq!(
                sandbox.version("calm").await,
                touched.metadata.resource_version
            );
        }
        let after = sandbox.jobs("calm").await;
        assert_eq!(after, jobs);
    })
    .await;
}
