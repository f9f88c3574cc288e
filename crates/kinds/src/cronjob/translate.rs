//! PinterestCronJob → ConfigMap where its spec or the profile asks for one, CronJob.

use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, Job, JobSpec, JobTemplateSpec};
use k8s_openapi::api::core::v1::{ConfigMap, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject};

use super::{
    CompletionMode, ConcurrencyPolicy, PinterestCronJob, PinterestCronJobSpec, RestartPolicy,
};
use crate::kind::Kind;
use crate::profile::RuntimeProfile;
use crate::translate::{Pods, TranslateError, Translation, dynamic, end_with_own};

/// Time zone of a schedule that names none. Kubernetes would take that of its own process.
pub const DEFAULT_TIME_ZONE: &str = "Etc/UTC";

/// Everything that a translation may make, and the Jobs that its CronJob makes; what is no longer
/// made is pruned from those that belong to the resource itself.
pub fn owned() -> Vec<ApiResource> {
    vec![
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<CronJob>(&()),
        ApiResource::erase::<Job>(&()),
    ]
}

/// What it becomes, in the order in which to apply it. Pure.
///
/// # Errors
/// [`TranslateError`] when the resource and the profile do not fit together.
pub fn translate(
    resource: &PinterestCronJob,
    profile: &RuntimeProfile,
) -> Result<Vec<DynamicObject>, TranslateError> {
    let translation = Translation::new(Kind::CronJob, &resource.metadata, profile);
    let spec = &resource.spec;
    let mut objects = Vec::new();
    objects.extend(translation.config_map(&spec.configs).as_ref().map(dynamic));
    objects.push(dynamic(&cron_job(&translation, spec)?));
    Ok(objects)
}

fn cron_job(
    translation: &Translation<'_>,
    spec: &PinterestCronJobSpec,
) -> Result<CronJob, TranslateError> {
    let metadata = translation.workload_object();
    let concurrency = match spec.concurrencypolicy {
        ConcurrencyPolicy::Allow => "Allow",
        ConcurrencyPolicy::Forbid => "Forbid",
        ConcurrencyPolicy::Replace => "Replace",
    };
    let zone = spec.timezone.as_deref().unwrap_or(DEFAULT_TIME_ZONE);
    let template = JobTemplateSpec {
        // A run says which commit it is of, and is found by its workload.
        metadata: Some(ObjectMeta {
            labels: metadata.labels.clone(),
            annotations: metadata.annotations.clone(),
            ..ObjectMeta::default()
        }),
        spec: Some(job(spec, pods(translation, spec)?)),
    };
    Ok(CronJob {
        metadata,
        spec: Some(CronJobSpec {
            schedule: spec.schedule.trim().to_owned(),
            time_zone: Some(zone.to_owned()),
            suspend: Some(spec.suspend),
            concurrency_policy: Some(concurrency.to_owned()),
            starting_deadline_seconds: spec.startingdeadlineseconds,
            successful_jobs_history_limit: spec.successfuljobshistorylimit,
            failed_jobs_history_limit: spec.failedjobshistorylimit,
            job_template: template,
        }),
        status: None,
    })
}

fn job(spec: &PinterestCronJobSpec, template: PodTemplateSpec) -> JobSpec {
    let indexed = spec.completionmode == CompletionMode::Indexed;
    JobSpec {
        backoff_limit: spec.backofflimit,
        active_deadline_seconds: spec.activedeadlineseconds,
        ttl_seconds_after_finished: spec.ttlsecondsafterfinished,
        completions: spec.completions,
        parallelism: spec.parallelism,
        completion_mode: indexed.then(|| "Indexed".to_owned()),
        template,
        ..JobSpec::default()
    }
}

fn pods(
    translation: &Translation<'_>,
    spec: &PinterestCronJobSpec,
) -> Result<PodTemplateSpec, TranslateError> {
    let mut pods = translation.pods(&Pods {
        template: &spec.template,
        place: "spec.template",
        role: "",
        iamrole: spec.iamrole.as_deref(),
        configs: &spec.configs,
        sidecarconfig: &spec.sidecarconfig,
        terminationgraceperiodseconds: spec.terminationgraceperiodseconds,
    })?;
    let policy = match spec.restartpolicy {
        RestartPolicy::Never => "Never",
        RestartPolicy::OnFailure => "OnFailure",
    };
    let pod = pods.spec.get_or_insert_default();
    pod.restart_policy = Some(policy.to_owned());
    end_with_own(pod, &spec.template);
    Ok(pods)
}
