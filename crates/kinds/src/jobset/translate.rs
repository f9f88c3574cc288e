//! PinterestJobSet → ConfigMap, headless Service, and for each replica of each group an indexed Job.
//!
//! Members keep their host names over all attempts and runs: `JOB-INDEX.NAME`, where the job is
//! `NAME-GROUP-REPLICA`. So an attempt's jobs are made when those of the one before are gone.

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{ConfigMap, EnvVar, Service};
use kube::api::{ApiResource, DynamicObject};
use serde_json::json;

use super::{PinterestJobSet, ReplicatedJob};
use crate::kind::Kind;
use crate::names::INDEX_ANNOTATION;
use crate::profile::RuntimeProfile;
use crate::run::{
    self, Attempt, GroupJob, Member, RunObjects, field, literal, member_job, members_service,
};
use crate::translate::{Pods, TranslateError, Translation, dynamic};

/// Everything that a translation may make; what is no longer made is pruned from these.
pub fn owned() -> Vec<ApiResource> {
    vec![
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<Job>(&()),
    ]
}

/// What it becomes when nothing waits for anything: its first attempt, in the order in which to
/// apply it. Pure.
///
/// # Errors
/// [`TranslateError`] when the resource and the profile do not fit together.
pub fn translate(
    resource: &PinterestJobSet,
    profile: &RuntimeProfile,
) -> Result<Vec<DynamicObject>, TranslateError> {
    let first = Attempt {
        suspended: resource.spec.suspend,
        ..Attempt::first(revision(resource))
    };
    Ok(attempt(resource, profile, &first)?.all())
}

/// The word for what the set's jobs are made from: another one is another run.
pub fn revision(resource: &PinterestJobSet) -> String {
    let spec = &resource.spec;
    let what = json!({
        "iamrole": spec.iamrole,
        "sidecarconfig": spec.sidecarconfig,
        "configs": spec.configs,
        "replicatedjobs": spec.replicatedjobs,
        "terminationgraceperiodseconds": spec.terminationgraceperiodseconds,
    });
    run::revision(&resource.metadata, &what)
}

/// Name of a group's job.
pub fn job_name(name: &str, group: &str, replica: i32) -> String {
    format!("{name}-{group}-{replica}")
}

/// All that an attempt is made of, whichever of it may start already. Pure.
///
/// # Errors
/// [`TranslateError`] when the resource and the profile do not fit together.
pub fn attempt(
    resource: &PinterestJobSet,
    profile: &RuntimeProfile,
    attempt: &Attempt,
) -> Result<RunObjects, TranslateError> {
    let translation = Translation::new(Kind::JobSet, &resource.metadata, profile);
    let config_map = translation.config_map(&resource.spec.configs);
    let mut around: Vec<DynamicObject> = config_map.as_ref().map(dynamic).into_iter().collect();
    around.push(members_service(&translation, None));
    let mut jobs = Vec::new();
    for (at, group) in resource.spec.replicatedjobs.iter().enumerate() {
        for replica in 0..group.replicas {
            jobs.push(GroupJob {
                group: group.name.clone(),
                job: job(&translation, resource, attempt, (at, group), replica)?,
            });
        }
    }
    Ok(RunObjects { around, jobs })
}

fn job(
    translation: &Translation<'_>,
    resource: &PinterestJobSet,
    attempt: &Attempt,
    (at, group): (usize, &ReplicatedJob),
    replica: i32,
) -> Result<Job, TranslateError> {
    let spec = &resource.spec;
    let job = job_name(translation.name(), &group.name, replica);
    let place = format!("spec.replicatedjobs[{at}].template");
    let member = Member {
        env: variables(translation.name(), attempt, group, replica, &job),
        job,
        group: &group.name,
        pods: Pods {
            template: &group.template,
            place: &place,
            role: &group.name,
            iamrole: spec.iamrole.as_deref(),
            configs: &spec.configs,
            sidecarconfig: &spec.sidecarconfig,
            terminationgraceperiodseconds: spec.terminationgraceperiodseconds,
        },
        volume: None,
        gated: None,
        spec: JobSpec {
            parallelism: Some(group.parallelism),
            completions: Some(group.completions()),
            backoff_limit: Some(group.backofflimit),
            active_deadline_seconds: group.activedeadlineseconds,
            // Two pods of one index would have the same host name.
            pod_replacement_policy: Some("Failed".into()),
            ..JobSpec::default()
        },
    };
    member_job(translation, attempt, member)
}

/// What tells a member who it is.
fn variables(
    name: &str,
    attempt: &Attempt,
    group: &ReplicatedJob,
    replica: i32,
    job: &str,
) -> Vec<EnvVar> {
    let index = format!("metadata.annotations['{INDEX_ANNOTATION}']");
    vec![
        literal("HERMEZ_WORKLOAD", &name),
        literal("HERMEZ_GROUP", &group.name),
        literal("HERMEZ_REPLICA", &replica),
        literal("HERMEZ_REPLICAS", &group.replicas),
        field("HERMEZ_INDEX", &index),
        literal("HERMEZ_COMPLETIONS", &group.completions()),
        literal("HERMEZ_HOST", &format!("{job}-$(HERMEZ_INDEX).{name}")),
        literal("HERMEZ_ATTEMPT", &attempt.number),
        literal("HERMEZ_RUN", &attempt.revision),
    ]
}
