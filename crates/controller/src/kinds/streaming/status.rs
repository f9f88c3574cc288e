//! The status of a streaming job. Pure.

use hermez_kinds::names::{NAME_LABEL, ROLE_LABEL};
use hermez_kinds::status::Conditions;
use hermez_kinds::streamingjob::{
    Engine, JobStatus, Memory, PinterestStreamingJob, PinterestStreamingJobStatus, Stage, revision,
};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use super::machine::goal;
use crate::flink::{Job, Observation};
use crate::kinds::{Outside, Refusal, Seen};

/// What stands where something is not reported.
const NOT_REPORTED: &str = "not reported";

/// The status that follows from what was seen.
pub(in crate::kinds) fn status(
    seen: &Seen<'_>,
    job: &PinterestStreamingJob,
    outside: &Outside,
    stalled: Option<&Refusal>,
) -> PinterestStreamingJobStatus {
    let before: PinterestStreamingJobStatus = seen.before();
    let wanted = revision(&job.metadata, &job.spec, seen.profile).ok();
    let mut after = PinterestStreamingJobStatus {
        observed_generation: seen.generation,
        profile: Some(seen.profile.label()),
        ..PinterestStreamingJobStatus::default()
    };
    let pods = Pods::of(seen);
    after.desired_pods = pods.desired;
    after.ready_pods = pods.ready;
    let mut conditions = Conditions::new(&before.conditions, seen.generation, seen.now);
    if job.spec.engine == Engine::Flink {
        flink(&mut after, &before, outside);
        let name = job.name_any();
        after.selector = Some(format!("{NAME_LABEL}={name},{ROLE_LABEL}=taskmanager"));
        after.replicas = pods.workers;
        let memory = after.memory.clone().unwrap_or_default();
        let wanted = wanted.as_deref().unwrap_or_default();
        let verdict = Verdict {
            memory: &memory,
            state: after.job.as_ref(),
            runs: newest(&memory, outside)
                .and_then(|seen| seen.job.as_ref())
                .map(|job| job.runs),
            goal: goal(&job.spec, wanted),
            pods: &pods,
        };
        verdict.write(&mut conditions, stalled);
    } else {
        after.selector = Some(format!("{NAME_LABEL}={}", job.name_any()));
        after.replicas = pods.workers;
        after.revision = wanted;
        container(&mut conditions, seen, job, &pods, stalled);
    }
    after.conditions = conditions.finish();
    after
}

/// Pods over all Deployments.
#[derive(Debug, Default)]
struct Pods {
    desired: i32,
    ready: i32,
    /// Those that exist, without the job managers.
    workers: i32,
    settled: bool,
}

impl Pods {
    fn of(seen: &Seen<'_>) -> Pods {
        let deployments: Vec<Deployment> = seen.all("Deployment");
        let mut pods = Pods {
            settled: !deployments.is_empty(),
            ..Pods::default()
        };
        for deployment in &deployments {
            let wanted = deployment
                .spec
                .as_ref()
                .and_then(|spec| spec.replicas)
                .unwrap_or(1);
            let status = deployment.status.clone().unwrap_or_default();
            let replicas = status.replicas.unwrap_or(0);
            pods.desired += wanted;
            pods.ready += status.ready_replicas.unwrap_or(0);
            if !deployment.name_any().ends_with("-jobmanager") {
                pods.workers += replicas;
            }
            pods.settled &= status.observed_generation >= deployment.metadata.generation
                && status.updated_replicas.unwrap_or(0) == wanted
                && status.available_replicas.unwrap_or(0) == wanted
                && replicas == wanted;
        }
        pods
    }
}

/// What was seen of the job that now stands in the cluster, not of the one that it replaced.
fn newest<'a>(memory: &Memory, outside: &'a Outside) -> Option<&'a Observation> {
    let seen = outside.flink.as_ref()?;
    (seen.of == memory.attempt.job_id).then_some(seen)
}

/// What Flink says, and what stays of what it said before.
fn flink(
    after: &mut PinterestStreamingJobStatus,
    before: &PinterestStreamingJobStatus,
    outside: &Outside,
) {
    after.memory.clone_from(&before.memory);
    after.stage = before.memory.as_ref().map(|memory| memory.stage);
    after.last_savepoint.clone_from(&before.last_savepoint);
    after.last_checkpoint.clone_from(&before.last_checkpoint);
    after.restored.clone_from(&before.restored);
    let Some(memory) = &before.memory else {
        return;
    };
    after.revision = Some(memory.attempt.version.revision.clone());
    if memory.stage == Stage::Suspended {
        after.restored = None;
        return;
    }
    let id = memory.attempt.job_id.clone();
    let known = before.job.clone().filter(|known| known.id == id);
    match newest(memory, outside) {
        Some(Observation {
            job: Some(found), ..
        }) => {
            after.job = Some(told(id, found, known.as_ref()));
            if found.checkpoint.is_some() {
                after.last_checkpoint.clone_from(&found.checkpoint);
            }
            after.restored.clone_from(&found.restored);
        }
        Some(Observation {
            unreachable: None, ..
        })
        | None => {
            // Nothing of the job that was before this one.
            after.job = known;
            if after.job.is_none() {
                after.restored = None;
            }
        }
        Some(Observation {
            unreachable: Some(_),
            ..
        }) => {
            after.job = known.map(|known| JobStatus {
                state: "UNREACHABLE".to_owned(),
                ..known
            });
        }
    }
}

fn told(id: String, found: &Job, known: Option<&JobStatus>) -> JobStatus {
    let or = |told: &Option<String>| told.clone().unwrap_or_else(|| NOT_REPORTED.to_owned());
    JobStatus {
        id,
        name: found.name.clone(),
        state: found.state.clone(),
        start_time: found.started,
        parallelism: found.parallelism,
        lag: or(&found.lag),
        backpressure: or(&found.backpressure),
        restarts: found.restarts.or(known.and_then(|known| known.restarts)),
        failure: found.failure.clone(),
    }
}

/// What the conditions of a Flink job follow from.
struct Verdict<'a> {
    memory: &'a Memory,
    state: Option<&'a JobStatus>,
    /// Whether all tasks run; none when nobody looked.
    runs: Option<bool>,
    goal: &'a str,
    pods: &'a Pods,
}

impl Verdict<'_> {
    fn write(&self, conditions: &mut Conditions<'_>, refusal: Option<&Refusal>) {
        let (truth, reason, message) = self.available();
        conditions.push("Available", truth, reason, message);
        if let Some(Refusal { reason, message }) = refusal {
            conditions.push("Stalled", "True", reason, message.clone());
        } else if let Some((reason, message)) = self.stalled() {
            conditions.push("Stalled", "True", &reason, message);
        } else if let Some((reason, message)) = self.reconciling() {
            conditions.push("Reconciling", "True", reason, message);
        }
    }

    fn available(&self) -> (&'static str, &'static str, String) {
        let state = self.state.map_or("", |job| &job.state);
        match (self.memory.stage, self.runs) {
            (Stage::Suspended, _) => ("False", "Suspended", "it is suspended".to_owned()),
            (_, Some(true)) => ("True", "JobRunning", "all tasks of the job run".to_owned()),
            _ if state.is_empty() => ("False", "NoJob", "there is no job yet".to_owned()),
            _ if state == "UNREACHABLE" => (
                "Unknown",
                "Unreachable",
                "the job manager does not answer".to_owned(),
            ),
            _ => {
                let why = self.state.and_then(|job| job.failure.as_deref());
                let why = why.map_or(String::new(), |why| format!(": {why}"));
                ("False", "JobNotRunning", format!("the job is {state}{why}"))
            }
        }
    }

    /// Why it cannot go on by itself.
    fn stalled(&self) -> Option<(String, String)> {
        let memory = self.memory;
        if let Some(failed) = memory
            .failed
            .as_ref()
            .filter(|failed| failed.goal == self.goal)
        {
            // While it goes back it is not at its end yet.
            let goes_back = memory.stage == Stage::RollingBack && failed.reason == "UpgradeFailed";
            return (!goes_back).then(|| (failed.reason.clone(), failed.message.clone()));
        }
        let job = self.state.filter(|job| job.state == "FAILED")?;
        if memory.stage != Stage::Running {
            return None;
        }
        let why = job.failure.as_deref().unwrap_or("Flink does not say why");
        Some((
            "JobFailed".to_owned(),
            format!(
                "the job failed: {why}; a new version or another flink.restartnonce starts it from its newest state"
            ),
        ))
    }

    fn reconciling(&self) -> Option<(&'static str, String)> {
        let memory = self.memory;
        let version = &memory.attempt.version.revision;
        let from = memory.attempt.from.as_deref().unwrap_or("no state");
        match memory.stage {
            Stage::Starting => Some((
                "Starting",
                format!("starting the version {version} from {from}"),
            )),
            Stage::Stopping => {
                let savepoint = memory
                    .stop
                    .as_ref()
                    .is_some_and(|stop| stop.savepointdir.is_some());
                let how = if savepoint {
                    "taking a savepoint and stopping"
                } else {
                    "stopping"
                };
                Some(("Stopping", format!("{how} the version {version}")))
            }
            Stage::RollingBack => {
                let why = memory.failed.as_ref().map_or("", |failed| &failed.message);
                Some(("RollingBack", why.to_owned()))
            }
            Stage::Running if self.goal != version => Some((
                "Upgrading",
                format!("the version {version} is to be replaced"),
            )),
            Stage::Running if !self.pods.settled => Some((
                "Pods",
                format!(
                    "{} of {} pods are ready",
                    self.pods.ready, self.pods.desired
                ),
            )),
            Stage::Suspended if self.goal != "suspended" => {
                Some(("Resuming", "it is to be resumed".to_owned()))
            }
            Stage::Running | Stage::Suspended => None,
        }
    }
}

/// The conditions of engine container, which are its Deployment's.
fn container(
    conditions: &mut Conditions<'_>,
    seen: &Seen<'_>,
    job: &PinterestStreamingJob,
    pods: &Pods,
    refusal: Option<&Refusal>,
) {
    let deployment: Option<Deployment> = seen.named("Deployment", &job.name_any());
    let native = deployment
        .and_then(|deployment| deployment.status?.conditions)
        .unwrap_or_default();
    let find = |kind: &str| native.iter().find(|condition| condition.type_ == kind);
    match find("Available") {
        _ if job.spec.suspend => {
            conditions.push("Available", "False", "Suspended", "it is suspended");
        }
        Some(found) => {
            let reason = found.reason.as_deref().unwrap_or("Unknown");
            let message = found.message.clone().unwrap_or_default();
            conditions.push("Available", &found.status, reason, message);
        }
        None => conditions.push(
            "Available",
            "Unknown",
            "NoDeployment",
            "there is no Deployment yet",
        ),
    }
    let late = find("Progressing").filter(|found| found.status == "False");
    if let Some(Refusal { reason, message }) = refusal {
        conditions.push("Stalled", "True", reason, message.clone());
    } else if let Some(late) = late {
        let message = late.message.clone().unwrap_or_default();
        conditions.push("Stalled", "True", "RolloutStuck", message);
    } else if !pods.settled {
        let message = format!("{} of {} pods are ready", pods.ready, pods.desired);
        conditions.push("Reconciling", "True", "RollingOut", message);
    }
}
