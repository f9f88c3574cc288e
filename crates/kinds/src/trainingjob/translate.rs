//! PinterestTrainingJob → ConfigMap, headless Service, and an indexed Job for each role.
//!
//! Pods are made with a gate that the controller opens for all of them at once. A member is not
//! replaced alone: its job fails with it, and the whole gang starts again.

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::{ApiResource, DynamicObject};
use serde_json::json;

use super::{PinterestTrainingJob, Role, variables};
use crate::kind::Kind;
use crate::profile::RuntimeProfile;
use crate::run::{self, Attempt, GroupJob, Member, RunObjects, member_job, members_service};
use crate::translate::{Pods, TranslateError, Translation, dynamic};

/// Everything that a translation may make; what is no longer made is pruned from these.
pub fn owned() -> Vec<ApiResource> {
    vec![
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<Job>(&()),
    ]
}

/// What it becomes: its first attempt, in the order in which to apply it. Pure.
///
/// # Errors
/// [`TranslateError`] when the resource and the profile do not fit together.
pub fn translate(
    resource: &PinterestTrainingJob,
    profile: &RuntimeProfile,
) -> Result<Vec<DynamicObject>, TranslateError> {
    let first = Attempt::first(revision(resource));
    Ok(attempt(resource, profile, &first)?.all())
}

/// The word for what the gang is made from: another one is another run.
pub fn revision(resource: &PinterestTrainingJob) -> String {
    let spec = &resource.spec;
    let what = json!({
        "iamrole": spec.iamrole,
        "sidecarconfig": spec.sidecarconfig,
        "configs": spec.configs,
        "framework": spec.framework,
        "members": spec.members,
        "port": spec.port(),
        "processespernode": spec.processespernode,
        "checkpoint": spec.checkpoint,
        "terminationgraceperiodseconds": spec.terminationgraceperiodseconds,
    });
    run::revision(&resource.metadata, &what)
}

/// Name of a role's job.
pub fn job_name(name: &str, role: Role) -> String {
    format!("{name}-{}", role.name())
}

/// What an attempt is made of. Pure.
///
/// # Errors
/// [`TranslateError`] when the resource and the profile do not fit together.
pub fn attempt(
    resource: &PinterestTrainingJob,
    profile: &RuntimeProfile,
    attempt: &Attempt,
) -> Result<RunObjects, TranslateError> {
    let spec = &resource.spec;
    let translation = Translation::new(Kind::TrainingJob, &resource.metadata, profile);
    let config_map = translation.config_map(&spec.configs);
    let mut around: Vec<DynamicObject> = config_map.as_ref().map(dynamic).into_iter().collect();
    around.push(members_service(&translation, Some(spec.port())));
    let mut jobs = Vec::new();
    for (members, first) in spec.ranked() {
        let at = spec
            .members
            .iter()
            .position(|other| other.role == members.role);
        let place = format!("spec.members[{}].template", at.unwrap_or_default());
        let role = members.role.name();
        let member = Member {
            job: job_name(translation.name(), members.role),
            group: role,
            pods: Pods {
                template: &members.template,
                place: &place,
                role,
                iamrole: spec.iamrole.as_deref(),
                configs: &spec.configs,
                sidecarconfig: &spec.sidecarconfig,
                terminationgraceperiodseconds: spec.terminationgraceperiodseconds,
            },
            env: variables::of_members(translation.name(), spec, (members, first), attempt),
            volume: variables::checkpoint(spec),
            gated: Some(Kind::TrainingJob.name()),
            spec: JobSpec {
                parallelism: Some(members.replicas),
                completions: Some(members.replicas),
                backoff_limit: Some(0),
                ..JobSpec::default()
            },
        };
        jobs.push(GroupJob {
            group: role.to_owned(),
            job: member_job(&translation, attempt, member)?,
        });
    }
    Ok(RunObjects { around, jobs })
}
