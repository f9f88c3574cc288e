//! Engine container: any program that runs all the time.

use hermez_kinds::PinterestStreamingJob;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{self, within};
use crate::world::{NAME, State, apply, condition, status_of, until};

fn spec(word: &str) -> Value {
    let script = format!("trap 'exit 0' TERM; echo {word}; while :; do sleep 0.2; done");
    json!({
        "engine": "container",
        "terminationgraceperiodseconds": 1,
        "template": {"spec": {"containers": [{
            "name": "consumer", "image": support::image(), "command": ["/bin/sh", "-c", script],
        }]}},
    })
}

/// Whether the newest spec runs in this many pods and nothing is left to do.
fn settled(job: &PinterestStreamingJob, pods: i32) -> bool {
    let status = status_of(job);
    status.observed_generation == job.metadata.generation
        && (status.desired_pods, status.ready_pods, status.replicas) == (pods, pods, pods)
        && condition(job, "Reconciling").is_none()
}

#[tokio::test]
async fn a_consumer_runs_is_updated_scaled_suspended_and_deleted() {
    within(async |sandbox| {
        apply(&sandbox, &spec("one")).await.expect("applied");
        let job = until(&sandbox, "running", |job| settled(job, 1)).await;
        assert_eq!(
            condition(&job, "Available").map(|told| told.0).as_deref(),
            Some("True")
        );
        let first = status_of(&job).revision;

        apply(&sandbox, &spec("two")).await.expect("applied");
        let job = until(&sandbox, "updated", |job| {
            settled(job, 1) && status_of(job).revision != first
        })
        .await;
        let pods = sandbox
            .api::<Pod>()
            .list(&ListParams::default())
            .await
            .expect("pods");
        let newest = status_of(&job).revision;
        let new = pods.iter().filter(|pod| {
            pod.metadata.deletion_timestamp.is_none()
                && pod.labels().get("pinterest.com/revision") == newest.as_ref()
        });
        assert_eq!(new.count(), 1);

        let jobs = sandbox.api::<PinterestStreamingJob>();
        let three = Patch::Merge(json!({"spec": {"replicas": 3}}));
        jobs.patch_scale(NAME, &PatchParams::default(), &three)
            .await
            .expect("scaled");
        until(&sandbox, "scaled", |job| settled(job, 3)).await;
        let scale = jobs
            .get_scale(NAME)
            .await
            .expect("a scale")
            .status
            .expect("a status");
        assert_eq!(
            (scale.replicas, scale.selector.as_deref()),
            (3, Some("name=counting"))
        );

        sandbox
            .edit::<PinterestStreamingJob>(NAME, json!({"spec": {"suspend": true}}))
            .await;
        let job = until(&sandbox, "suspended", |job| settled(job, 0)).await;
        let told = condition(&job, "Available").expect("a condition");
        assert_eq!((told.0.as_str(), told.1.as_str()), ("False", "Suspended"));

        jobs.delete(NAME, &DeleteParams::background())
            .await
            .expect("deleted");
        sandbox.gone::<PinterestStreamingJob>(NAME).await;
        sandbox.gone::<Deployment>(NAME).await;
    })
    .await;
}

#[tokio::test]
async fn what_flink_needed_goes_when_the_engine_changes() {
    within(async |sandbox| {
        let state = State::of(&sandbox);
        let flink = crate::world::spec(&state, "one");
        apply(&sandbox, &flink).await.expect("applied");
        let flinks = format!("{NAME}-flink");
        sandbox.until::<Role>(&flinks, "there", |_| true).await;
        for role in ["jobmanager", "taskmanager"] {
            sandbox
                .until::<Deployment>(&format!("{NAME}-{role}"), "there", |_| true)
                .await;
        }

        apply(&sandbox, &spec("one")).await.expect("applied");
        for role in ["jobmanager", "taskmanager"] {
            sandbox.gone::<Deployment>(&format!("{NAME}-{role}")).await;
        }
        sandbox.gone::<ConfigMap>(&flinks).await;
        sandbox.gone::<Role>(&flinks).await;
        sandbox.gone::<RoleBinding>(&flinks).await;
        sandbox.gone::<ServiceAccount>(&flinks).await;
        sandbox.gone::<Service>(&format!("{NAME}-jobmanager")).await;
        let job = until(&sandbox, "running", |job| settled(job, 1)).await;
        assert_eq!(
            status_of(&job).memory,
            None,
            "nothing of Flink is remembered"
        );
    })
    .await;
}
