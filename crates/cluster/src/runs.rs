//! Cron jobs: their schedule and their runs, as their resource's status tells them, runs by hand,
//! and whether they are suspended.
//!
//! A run by hand is a Job made from the live CronJob's template, as `kubectl create job --from` makes
//! it: it belongs to the CronJob and goes with it.

use std::collections::BTreeMap;

use hermez_api::{Run, RunOutcome, RunTrigger, ScheduleStatus};
use hermez_kinds::Kind;
use hermez_kinds::cronjob::{DEFAULT_TIME_ZONE, PinterestCronJobStatus, RunStatus};
use hermez_kinds::names::{COMMIT_ANNOTATION, HAND_MANAGER, MANUAL_ANNOTATION, RUN_BY_ANNOTATION};
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Container, EnvVar};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::apply::answer;
use crate::declared::Declared;
use crate::index::Workload;
use crate::text::clip;
use crate::view::TEXT_LIMIT;
use crate::{ClusterError, WorkloadKey};

/// Most runs of one cron job that are kept.
const MAX_RUNS: usize = 30;

/// What a cron job's resource says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronFacts {
    /// The schedule, without its newest run.
    schedule: ScheduleStatus,
    /// Its runs, newest first, without their pods.
    runs: Vec<Run>,
}

impl CronFacts {
    /// Reads them from the resource's data.
    pub(crate) fn read(data: &Value) -> CronFacts {
        let status: PinterestCronJobStatus =
            serde_json::from_value(data["status"].clone()).unwrap_or_default();
        let text = |field: &str| data["spec"][field].as_str().map(|text| clip(text, 200));
        let instant = |time: &Option<Time>| time.as_ref().map(|time| time.0);
        CronFacts {
            schedule: ScheduleStatus {
                schedule: text("schedule").unwrap_or_default(),
                timezone: text("timezone").unwrap_or_else(|| DEFAULT_TIME_ZONE.to_owned()),
                suspended: data["spec"]["suspend"].as_bool().unwrap_or(false),
                next: status
                    .next_schedule_times
                    .iter()
                    .map(|time| time.0)
                    .collect(),
                last_scheduled_at: instant(&status.last_schedule_time),
                last_succeeded_at: instant(&status.last_successful_time),
                active_runs: status.active_runs,
                latest_run: None,
            },
            runs: status.runs.iter().take(MAX_RUNS).map(run).collect(),
        }
    }
}

fn run(status: &RunStatus) -> Run {
    let instant = |time: &Option<Time>| time.as_ref().map(|time| time.0);
    Run {
        name: status.name.clone(),
        trigger: match status.trigger.as_str() {
            "Manual" => RunTrigger::Manual,
            _ => RunTrigger::Schedule,
        },
        by: status.by.clone(),
        commit: status.commit.clone(),
        created_at: instant(&status.created_at),
        started_at: instant(&status.started_at),
        ended_at: instant(&status.ended_at),
        outcome: match status.outcome.as_str() {
            "Succeeded" => RunOutcome::Succeeded,
            "Failed" => RunOutcome::Failed,
            "Deleted" => RunOutcome::Deleted,
            _ => RunOutcome::Running,
        },
        message: status.message.as_deref().map(|text| clip(text, TEXT_LIMIT)),
        succeeded_pods: status.succeeded_pods,
        failed_pods: status.failed_pods,
        pods: Vec::new(),
    }
}

/// When a workload runs, where it is a cron job.
pub(crate) fn schedule(declared: &Declared, workload: &Workload) -> Option<ScheduleStatus> {
    let facts = declared.cron.as_ref()?;
    let mut schedule = facts.schedule.clone();
    let latest = facts.runs.first().cloned();
    schedule.latest_run = latest.map(|run| with_pods(run, workload));
    Some(schedule)
}

/// The runs of a workload, newest first.
pub(crate) fn runs(workload: &Workload) -> Vec<Run> {
    let facts = workload
        .declared
        .as_ref()
        .and_then(|found| found.cron.as_ref());
    let runs = facts.map(|facts| facts.runs.clone()).unwrap_or_default();
    runs.into_iter()
        .map(|run| with_pods(run, workload))
        .collect()
}

fn with_pods(mut run: Run, workload: &Workload) -> Run {
    let pods = workload.pods.iter();
    let own = pods.filter(|pod| pod.job.as_deref() == Some(run.name.as_str()));
    run.pods = own.map(|pod| pod.name.clone()).collect();
    run
}

/// What a run by hand should be like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunRequest {
    /// Arguments of the first container, instead of its own.
    pub arguments: Option<Vec<String>>,
    /// Variables of the first container, beside or instead of its own.
    pub environment: BTreeMap<String, String>,
    /// Who asks.
    pub by: String,
}

pub(crate) async fn run_now(
    client: &Client,
    key: &WorkloadKey,
    ask: RunRequest,
) -> Result<Run, ClusterError> {
    let object = format!("CronJob/{}", key.name);
    let crons: Api<CronJob> = Api::namespaced(client.clone(), &key.namespace);
    let cron = answer(&object, crons.get(&key.name)).await?;
    let by = ask.by.clone();
    let job = job(&cron, ask).ok_or(ClusterError::NotFound(object))?;
    let jobs: Api<Job> = Api::namespaced(client.clone(), &key.namespace);
    let params = PostParams {
        field_manager: Some(HAND_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let object = format!(
        "Job/{}",
        job.metadata.generate_name.as_deref().unwrap_or_default()
    );
    let made = answer(&object, jobs.create(&params, &job)).await?;
    Ok(Run {
        name: made.name_any(),
        trigger: RunTrigger::Manual,
        by: Some(by),
        commit: made.annotations().get(COMMIT_ANNOTATION).cloned(),
        created_at: made.creation_timestamp().map(|time| time.0),
        started_at: None::<Timestamp>,
        ended_at: None,
        outcome: RunOutcome::Running,
        message: None,
        succeeded_pods: 0,
        failed_pods: 0,
        pods: Vec::new(),
    })
}

/// The Job of a run by hand; none when the CronJob has no template.
fn job(cron: &CronJob, ask: RunRequest) -> Option<Job> {
    let template = cron.spec.as_ref()?.job_template.clone();
    let metadata = template.metadata.unwrap_or_default();
    let mut annotations = metadata.annotations.unwrap_or_default();
    annotations.insert(MANUAL_ANNOTATION.to_owned(), "manual".to_owned());
    annotations.insert(RUN_BY_ANNOTATION.to_owned(), ask.by);
    let mut spec = template.spec?;
    let pod = spec.template.spec.as_mut()?;
    let container = pod.containers.first_mut()?;
    if let Some(arguments) = ask.arguments {
        container.args = Some(arguments);
    }
    set_variables(container, ask.environment);
    Some(Job {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-run-", cron.name_any())),
            namespace: cron.namespace(),
            labels: metadata.labels,
            annotations: Some(annotations),
            owner_references: Some(vec![OwnerReference {
                api_version: "batch/v1".to_owned(),
                kind: "CronJob".to_owned(),
                name: cron.name_any(),
                uid: cron.uid().unwrap_or_default(),
                controller: Some(true),
                block_owner_deletion: Some(true),
            }]),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    })
}

fn set_variables(container: &mut Container, environment: BTreeMap<String, String>) {
    if environment.is_empty() {
        return;
    }
    let own = container.env.get_or_insert_default();
    own.retain(|variable| !environment.contains_key(&variable.name));
    own.extend(environment.into_iter().map(|(name, value)| EnvVar {
        name,
        value: Some(value),
        value_from: None,
    }));
}

pub(crate) async fn suspend(
    client: &Client,
    key: &WorkloadKey,
    suspended: bool,
) -> Result<(), ClusterError> {
    let native = Kind::CronJob.api_resource();
    let object = format!("{}/{}", native.kind, key.name);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &key.namespace, &native);
    // An apply would make one of nothing but this field.
    answer(&object, api.get_metadata(&key.name)).await?;
    let apply = async |spec: Value| {
        let body = json!({
            "apiVersion": native.api_version, "kind": native.kind,
            "metadata": {"name": key.name, "namespace": key.namespace},
            "spec": spec,
        });
        let params = PatchParams::apply(HAND_MANAGER).force();
        answer(&object, api.patch(&key.name, &params, &Patch::Apply(&body))).await
    };
    if suspended {
        apply(json!({"suspend": true})).await?;
        return Ok(());
    }
    // A person's word is taken back, and the config file's counts again; where that suspends it as
    // well, or somebody with another tool did, a person's word stands against it.
    let now = apply(json!({})).await?;
    if now.data["spec"]["suspend"] == json!(true) {
        apply(json!({"suspend": false})).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::view::PodView;

    fn mk_cron() -> CronJob {
        serde_json::from_value(json!({
            "metadata": {"name": "report", "namespace": "ns", "uid": "u1"},
            "spec": {"schedule": "@daily", "jobTemplate": {
                "metadata": {
                    "labels": {"pinterest.com/workload": "report"},
                    "annotations": {"hermez.dev/commit": "abc"},
                },
                "spec": {"backoffLimit": 2, "template": {"spec": {"containers": [
                    {"name": "a", "args": ["x"], "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
                    {"name": "b", "args": ["y"]},
                ]}}},
            }},
        }))
        .expect("a CronJob")
    }

    #[test]
    fn a_run_by_hand_is_the_template_with_what_was_asked_for() {
        let ask = RunRequest {
            arguments: Some(vec!["--day".into(), "x".into()]),
            environment: BTreeMap::from([("B".into(), "3".into()), ("C".into(), "4".into())]),
            by: "ada".into(),
        };
        let job = job(&mk_cron(), ask).expect("a Job");
        let value = serde_json::to_value(&job).expect("plain data");
        assert_eq!(value["metadata"]["generateName"], "report-run-");
        assert_eq!(
            value["metadata"]["labels"]["pinterest.com/workload"],
            "report"
        );
        assert_eq!(
            value["metadata"]["annotations"],
            json!({"hermez.dev/commit": "abc", MANUAL_ANNOTATION: "manual", RUN_BY_ANNOTATION: "ada"})
        );
        assert_eq!(value["metadata"]["ownerReferences"][0]["uid"], "u1");
        assert_eq!(value["spec"]["backoffLimit"], 2);
        let containers = &value["spec"]["template"]["spec"]["containers"];
        assert_eq!(containers[0]["args"], json!(["--day", "x"]));
        assert_eq!(
            containers[0]["env"],
            json!([{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}])
        );
        assert_eq!(
            containers[1]["args"],
            json!(["y"]),
            "the others are left as they are"
        );
    }

    #[test]
    fn without_arguments_a_run_has_its_own() {
        let job = job(&mk_cron(), RunRequest::default()).expect("a Job");
        let value = serde_json::to_value(&job).expect("plain data");
        assert_eq!(
            value["spec"]["template"]["spec"]["containers"][0]["args"],
            json!(["x"])
        );
    }

    fn mk_workload() -> Workload {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "pinterest.com/v1", "kind": "PinterestCronJob",
            "metadata": {"name": "report"},
            "spec": {"schedule": "30 4 * * *", "suspend": true},
            "status": {
                "activeRuns": 1, "lastScheduleTime": "2026-01-01T04:30:00Z",
                "nextScheduleTimes": ["2026-01-02T04:30:00Z"],
                "runs": [
                    {"name": "r2", "trigger": "Manual", "by": "ada", "outcome": "Running"},
                    {"name": "r1", "trigger": "Schedule", "outcome": "Failed", "message": "why", "failedPods": 3},
                ],
            },
        }))
        .expect("an object");
        let pod = |name: &str, job: &str| {
            Arc::new(PodView {
                name: name.into(),
                job: Some(job.into()),
                ..PodView::default()
            })
        };
        Workload {
            declared: Some(Arc::new(Declared::read(Kind::CronJob, &object))),
            pods: vec![pod("r2-x", "r2"), pod("r1-y", "r1")],
            ..Workload::default()
        }
    }

    #[test]
    fn runs_know_their_pods() {
        let runs = runs(&mk_workload());
        let seen: Vec<_> = runs
            .iter()
            .map(|run| {
                (
                    run.name.as_str(),
                    run.trigger,
                    run.outcome,
                    run.pods.join(" "),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (
                    "r2",
                    RunTrigger::Manual,
                    RunOutcome::Running,
                    "r2-x".to_owned()
                ),
                (
                    "r1",
                    RunTrigger::Schedule,
                    RunOutcome::Failed,
                    "r1-y".to_owned()
                ),
            ]
        );
        assert_eq!(runs[1].failed_pods, 3);
    }

    #[test]
    fn the_schedule_is_as_it_was_written() {
        let workload = mk_workload();
        let declared = workload.declared.clone().expect("declared");
        let schedule = schedule(&declared, &workload).expect("a schedule");
        assert_eq!(
            (schedule.schedule.as_str(), schedule.timezone.as_str()),
            ("30 4 * * *", "Etc/UTC")
        );
        assert!(schedule.suspended && schedule.active_runs == 1);
        assert_eq!(
            schedule.latest_run.map(|run| run.name).as_deref(),
            Some("r2")
        );
    }
}
