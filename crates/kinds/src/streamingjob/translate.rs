//! PinterestStreamingJob → what runs it: of engine flink a job manager, task managers and what they
//! need; of engine container one Deployment.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{ConfigMap, PodTemplateSpec, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Engine, PinterestStreamingJob, PinterestStreamingJobSpec, flink};
use crate::kind::Kind;
use crate::names::REVISION_LABEL;
use crate::profile::RuntimeProfile;
use crate::translate::{Pods, TranslateError, Translation, dynamic};

/// Everything that a translation may make; what is no longer made is pruned from these.
pub fn owned() -> Vec<ApiResource> {
    vec![
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<ServiceAccount>(&()),
        ApiResource::erase::<Role>(&()),
        ApiResource::erase::<RoleBinding>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<Deployment>(&()),
    ]
}

/// A start of a Flink job: what tells it from other starts of the same version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start<'a> {
    /// Counts from 1.
    pub number: i64,
    /// Id of the job, 32 hexadecimal digits.
    pub job_id: &'a str,
    /// Savepoint or checkpoint to start from.
    pub from: Option<&'a str>,
    /// Revision of the version, for the pods' label.
    pub revision: &'a str,
    /// Whether there are pods at all; not while it is suspended.
    pub runs: bool,
}

/// What it becomes at its first start, in the order in which to apply it. Pure.
///
/// # Errors
/// [`TranslateError`] when the resource and the profile do not fit together.
pub fn translate(
    job: &PinterestStreamingJob,
    profile: &RuntimeProfile,
) -> Result<Vec<DynamicObject>, TranslateError> {
    let (metadata, spec) = (&job.metadata, &job.spec);
    let first = Start {
        number: 1,
        job_id: &"0".repeat(32),
        from: spec
            .flink
            .as_ref()
            .and_then(|flink| flink.initialsavepoint.as_deref()),
        revision: &revision(metadata, spec, profile)?,
        runs: !spec.suspend,
    };
    translate_start(metadata, spec, profile, &first)
}

/// What a version becomes at one of its starts. Pure.
///
/// # Errors
/// [`TranslateError`] when the resource and the profile do not fit together.
pub fn translate_start(
    metadata: &ObjectMeta,
    spec: &PinterestStreamingJobSpec,
    profile: &RuntimeProfile,
    start: &Start<'_>,
) -> Result<Vec<DynamicObject>, TranslateError> {
    let translation = Translation::new(Kind::StreamingJob, metadata, profile);
    let mut objects = Vec::new();
    objects.extend(translation.config_map(&spec.configs).as_ref().map(dynamic));
    match (spec.engine, &spec.flink) {
        (Engine::Flink, Some(of)) => {
            objects.extend(flink::objects(&translation, spec, of, start)?);
        }
        _ => objects.push(dynamic(&container(&translation, spec, start)?)),
    }
    Ok(objects)
}

/// Hash of what a version's pods are made of, 16 hexadecimal digits. Two specs of one revision need
/// no upgrade between them: they differ in counts, not in what runs.
///
/// # Errors
/// [`TranslateError`] when the resource and the profile do not fit together.
pub fn revision(
    metadata: &ObjectMeta,
    spec: &PinterestStreamingJobSpec,
    profile: &RuntimeProfile,
) -> Result<String, TranslateError> {
    let translation = Translation::new(Kind::StreamingJob, metadata, profile);
    let neutral = Start {
        number: 0,
        job_id: "",
        from: None,
        revision: "",
        runs: true,
    };
    match (spec.engine, &spec.flink) {
        (Engine::Flink, Some(of)) => {
            let parts = flink::parts(&translation, spec, of, &neutral)?;
            let asked = (&of.initialsavepoint, &of.restartnonce);
            Ok(hash(&(parts, asked)))
        }
        _ => Ok(hash(&pods(&translation, spec)?)),
    }
}

fn pods(
    translation: &Translation<'_>,
    spec: &PinterestStreamingJobSpec,
) -> Result<PodTemplateSpec, TranslateError> {
    translation.pods(&Pods {
        template: &spec.template,
        place: "spec.template",
        role: "",
        iamrole: spec.iamrole.as_deref(),
        configs: &spec.configs,
        sidecarconfig: &spec.sidecarconfig,
        terminationgraceperiodseconds: spec.terminationgraceperiodseconds,
    })
}

/// The Deployment of engine container.
fn container(
    translation: &Translation<'_>,
    spec: &PinterestStreamingJobSpec,
    start: &Start<'_>,
) -> Result<Deployment, TranslateError> {
    let mut template = pods(translation, spec)?;
    label(&mut template, REVISION_LABEL, start.revision);
    Ok(Deployment {
        metadata: translation.workload_object(),
        spec: Some(DeploymentSpec {
            replicas: Some(if start.runs { spec.replicas } else { 0 }),
            selector: translation.selector(),
            progress_deadline_seconds: spec.progressdeadlineseconds,
            template,
            ..DeploymentSpec::default()
        }),
        status: None,
    })
}

/// Sets a label of pods.
pub(super) fn label(template: &mut PodTemplateSpec, key: &str, value: &str) {
    let metadata = template.metadata.get_or_insert_default();
    let labels = metadata.labels.get_or_insert_default();
    labels.insert(key.to_owned(), value.to_owned());
}

/// A short hash of plain data.
///
/// # Panics
/// Never: plain data can be written as JSON.
fn hash<T: Serialize>(value: &T) -> String {
    // By way of a `Value`, whose keys are in order.
    let value = serde_json::to_value(value)
        .unwrap_or_else(|error| unreachable!("objects are plain data: {error}"));
    hex::encode(&Sha256::digest(value.to_string())[..8])
}
