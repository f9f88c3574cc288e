//! The resources that the tests apply, and what they look for.
#![allow(clippy::needless_pass_by_value)] // JSON is written in place

use hermez_kinds::names::DEPLOY_MANAGER;
use hermez_kinds::run::Phase;
use hermez_kinds::{PinterestJobSet, PinterestTrainingJob};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::api::{ApiResource, DynamicObject, ListParams, LogParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{Sandbox, image, labels};

/// A template of one container that runs a shell script.
pub fn shell(script: &str) -> Value {
    container(json!({"command": ["/bin/bash", "-ec", script]}))
}

/// A template of one container that runs a Perl program.
pub fn perl(program: &str) -> Value {
    container(json!({"command": ["perl", "-we", program]}))
}

/// A template of one container with more fields.
pub fn container(more: Value) -> Value {
    let mut container = json!({
        "name": "work",
        "image": image(),
        "resources": {"requests": {"cpu": "10m", "memory": "8Mi"}},
    });
    if let (Some(fields), Value::Object(more)) = (container.as_object_mut(), more) {
        fields.extend(more);
    }
    json!({"spec": {"containers": [container]}})
}

/// A job set `name` of those groups, with more fields.
pub fn jobset(namespace: &str, name: &str, groups: Value, more: Value) -> Value {
    resource(
        "PinterestJobSet",
        namespace,
        name,
        json!({"replicatedjobs": groups}),
        more,
    )
}

/// A training job `name` of those members, with more fields.
pub fn training(namespace: &str, name: &str, members: Value, more: Value) -> Value {
    resource(
        "PinterestTrainingJob",
        namespace,
        name,
        json!({"members": members}),
        more,
    )
}

fn resource(kind: &str, namespace: &str, name: &str, mut spec: Value, more: Value) -> Value {
    spec["terminationgraceperiodseconds"] = 1.into();
    if let (Some(fields), Value::Object(more)) = (spec.as_object_mut(), more) {
        fields.extend(more);
    }
    json!({
        "apiVersion": "pinterest.com/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels()},
        "spec": spec,
    })
}

impl Sandbox {
    /// Applies a resource as a deploy would.
    pub async fn deploy(&self, body: &Value) -> Result<DynamicObject, kube::Error> {
        let kind = body["kind"].as_str().expect("a kind");
        let kind = hermez_kinds::Kind::from_spelling(kind).expect("one of ours");
        let native: ApiResource = kind.api_resource();
        let api = kube::Api::<DynamicObject>::namespaced_with(
            self.client.clone(),
            &self.namespace,
            &native,
        );
        let name = body["metadata"]["name"].as_str().expect("a name");
        let params = PatchParams::apply(DEPLOY_MANAGER).force();
        api.patch(name, &params, &Patch::Apply(body)).await
    }

    /// Waits until a job set is in a phase.
    pub async fn set_is(&self, name: &str, phase: Phase) -> PinterestJobSet {
        let wanted = |set: &PinterestJobSet| {
            let status = set.status.as_ref();
            status.is_some_and(|status| {
                status.run.phase == phase && status.observed_generation == set.metadata.generation
            })
        };
        self.until(name, phase.as_str(), wanted).await
    }

    /// Waits until a training job is in a phase.
    pub async fn training_is(&self, name: &str, phase: Phase) -> PinterestTrainingJob {
        let wanted = |job: &PinterestTrainingJob| {
            let status = job.status.as_ref();
            status.is_some_and(|status| {
                status.run.phase == phase && status.observed_generation == job.metadata.generation
            })
        };
        self.until(name, phase.as_str(), wanted).await
    }

    /// The pods of a workload, by name.
    pub async fn pods(&self, workload: &str) -> Vec<Pod> {
        let params = ListParams::default().labels(&format!("pinterest.com/workload={workload}"));
        let mut pods = self.api::<Pod>().list(&params).await.expect("pods").items;
        pods.sort_by_key(ResourceExt::name_any);
        pods
    }

    /// The jobs of a workload, by name.
    pub async fn jobs(&self, workload: &str) -> Vec<Job> {
        let params = ListParams::default().labels(&format!("pinterest.com/workload={workload}"));
        let mut jobs = self.api::<Job>().list(&params).await.expect("jobs").items;
        jobs.sort_by_key(ResourceExt::name_any);
        jobs
    }

    /// What a pod has written.
    pub async fn log(&self, pod: &Pod) -> String {
        let params = LogParams::default();
        self.api::<Pod>()
            .logs(&pod.name_any(), &params)
            .await
            .expect("a log")
    }
}

/// Host name of a pod.
pub fn host(pod: &Pod) -> String {
    pod.spec
        .as_ref()
        .and_then(|spec| spec.hostname.clone())
        .unwrap_or_default()
}

/// The condition of that type, when it is there and true.
pub fn holds<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions
        .iter()
        .find(|condition| condition.type_ == kind && condition.status == "True")
}
