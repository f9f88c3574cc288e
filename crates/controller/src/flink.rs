//! What Flink's REST API says of a streaming job, and the few things that it is asked to do.
//!
//! Flink is reached through the API server's proxy of the job's Service, so that it does not matter
//! where the controller runs. Its answers are untrusted and bounded in size and time. What is asked
//! of it follows from the status alone (which was written before): every request carries an id of
//! ours, so that one who asks twice asks once.

mod answer;
mod high_availability;
mod pods;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hermez_kinds::streamingjob::{
    CheckpointStatus, Engine, Memory, PinterestStreamingJob, PinterestStreamingJobStatus,
    RestoredStatus, Stage, service_name,
};
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

pub(crate) use answer::is_over;

/// Largest answer that is read, in bytes. The details of a job with a thousand operators have half.
const LARGEST: usize = 4 * 1024 * 1024;
/// Longest wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Operators whose metrics are asked for.
const SOURCES: usize = 8;
/// How often a job that runs is looked at.
pub(crate) const SLOWLY: Duration = Duration::from_secs(10);
/// How often one that changes is looked at.
pub(crate) const QUICKLY: Duration = Duration::from_secs(1);

/// What was seen of a job.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Observation {
    /// Id of the job that was asked about.
    pub of: String,
    /// Why the job manager does not answer; none when it does.
    pub unreachable: Option<String>,
    /// The job of this start; none when the job manager does not know it.
    pub job: Option<Job>,
    /// How far it is with being stopped with a savepoint.
    pub stop: Option<Operation>,
    /// How far a savepoint is that was asked for.
    pub request: Option<Operation>,
    /// What keeps a pod of this start from running, where that does not mend itself.
    pub trouble: Option<String>,
}

/// A job.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Job {
    /// Its name.
    pub name: String,
    /// Its state, in Flink's words.
    pub state: String,
    /// Whether all of its tasks run.
    pub runs: bool,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// Largest parallelism among its operators.
    pub parallelism: i32,
    /// The newest completed checkpoint.
    pub checkpoint: Option<CheckpointStatus>,
    /// The newest savepoint: where it is, and when it was triggered.
    pub savepoint: Option<CheckpointStatus>,
    /// What it was restored from.
    pub restored: Option<RestoredStatus>,
    /// Why it failed, where it did; the first line.
    pub failure: Option<String>,
    /// How far it is behind its sources; none where that was not asked or is not reported.
    pub lag: Option<String>,
    /// Highest back pressure among its operators.
    pub backpressure: Option<String>,
    /// How often it restarted by itself.
    pub restarts: Option<i64>,
}

/// Something that takes Flink a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// It is at it.
    InProgress,
    /// Done: a savepoint at this place.
    Completed(String),
    /// Failed, and why.
    Failed(String),
}

/// Looks at jobs, each at most as often as its stage is worth.
pub(crate) struct Observer {
    client: Client,
    /// What was last seen, by the resource's uid.
    seen: Mutex<HashMap<String, Seen>>,
}

/// What was seen, when, and what of.
struct Seen {
    at: Instant,
    of: Memory,
    observation: Observation,
}

/// Where a job is.
struct Place<'a> {
    client: &'a Client,
    namespace: &'a str,
    service: String,
}

/// Why there is no answer.
enum Unanswered {
    /// The job manager says that there is no such thing.
    NotFound,
    /// It does not answer, or not as Flink does.
    Unreachable(String),
    /// It answers that it cannot.
    Refused(String),
}

impl Observer {
    /// Asks through this client.
    pub fn new(client: Client) -> Self {
        Observer {
            client,
            seen: Mutex::default(),
        }
    }

    /// Looks at a resource's job, and asks for what its status says was begun. None when there is
    /// nothing to look at.
    pub async fn observe(
        &self,
        job: &PinterestStreamingJob,
        before: &Value,
    ) -> Option<Observation> {
        let uid = job.metadata.uid.clone().unwrap_or_default();
        let status: PinterestStreamingJobStatus =
            serde_json::from_value(before.clone()).unwrap_or_default();
        let memory = status.memory.filter(|memory| {
            job.spec.engine == Engine::Flink
                && memory.stage != Stage::Suspended
                && memory.attempt.number > 0
        });
        let Some(memory) = memory else {
            self.forget(&uid);
            return None;
        };
        let interval = match memory.stage {
            Stage::Running if memory.request.is_none() => SLOWLY,
            _ => QUICKLY,
        };
        let recent = self.recent(&uid, &memory, interval * 4 / 5);
        if recent.is_some() {
            return recent;
        }
        let observation = self.look(job, &memory).await;
        let seen = Seen {
            at: Instant::now(),
            of: memory,
            observation: observation.clone(),
        };
        self.lock().insert(uid, seen);
        Some(observation)
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen a moment ago of the very same.
    fn recent(&self, uid: &str, memory: &Memory, within: Duration) -> Option<Observation> {
        let lock = self.lock();
        let seen = lock.get(uid)?;
        (seen.of == *memory && seen.at.elapsed() < within).then(|| seen.observation.clone())
    }

    async fn look(&self, job: &PinterestStreamingJob, memory: &Memory) -> Observation {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let namespace = job.metadata.namespace.as_deref().unwrap_or("default");
        let place = Place {
            client: &self.client,
            namespace,
            service: service_name(name),
        };
        let mut observation = place.look(memory).await;
        let starts = matches!(memory.stage, Stage::Starting | Stage::RollingBack);
        let number = memory.attempt.number;
        if starts {
            observation.trouble = pods::trouble(&self.client, namespace, name, number).await;
        }
        high_availability::adopt(&self.client, job, number).await;
        observation
    }
}

impl Place<'_> {
    async fn look(&self, memory: &Memory) -> Observation {
        let id = &memory.attempt.job_id;
        let mut observation = Observation {
            of: id.clone(),
            ..Observation::default()
        };
        let details = match self.get(&format!("/jobs/{id}")).await {
            Ok(details) => details,
            Err(Unanswered::NotFound) => return observation,
            // Flink 1.20 has no details of a job that failed before it had a plan.
            Err(Unanswered::Refused(why)) => {
                let Ok(status) = self.get(&format!("/jobs/{id}/status")).await else {
                    observation.unreachable = Some(why);
                    return observation;
                };
                json!({"state": status["status"]})
            }
            Err(Unanswered::Unreachable(why)) => {
                observation.unreachable = Some(why);
                return observation;
            }
        };
        let mut job = answer::job(&details);
        if let Ok(checkpoints) = self.get(&format!("/jobs/{id}/checkpoints")).await {
            answer::checkpoints(&checkpoints, &mut job);
        }
        if !matches!(job.state.as_str(), "RUNNING" | "FINISHED" | "CANCELED")
            && let Ok(exceptions) = self.get(&format!("/jobs/{id}/exceptions")).await
        {
            job.failure = answer::failure(&exceptions);
        }
        if memory.stage == Stage::Running && job.runs {
            self.measure(id, &details, &mut job).await;
        }
        if let Some(stop) = memory
            .stop
            .as_ref()
            .filter(|_| memory.stage == Stage::Stopping)
        {
            let over = is_over(&job.state);
            if let Some(folder) = &stop.savepointdir {
                let ask = (!over).then(|| {
                    let body = json!({
                        "targetDirectory": folder, "drain": false, "triggerId": stop.trigger,
                    });
                    (format!("/jobs/{id}/stop"), body)
                });
                observation.stop = self.operation(id, &stop.trigger, ask).await;
            } else if !over {
                let path = format!("/jobs/{id}?mode=cancel");
                let _ = self.send("PATCH", &path, None).await;
            }
        }
        if let Some(request) = &memory.request {
            let ask = job.runs.then(|| {
                let body = json!({
                    "target-directory": request.savepointdir, "cancel-job": false,
                    "triggerId": request.trigger,
                });
                (format!("/jobs/{id}/savepoints"), body)
            });
            observation.request = self.operation(id, &request.trigger, ask).await;
        }
        observation.job = Some(job);
        observation
    }

    /// How far an operation is; one that Flink does not know is asked for.
    async fn operation(
        &self,
        id: &str,
        trigger: &str,
        ask: Option<(String, Value)>,
    ) -> Option<Operation> {
        match self.get(&format!("/jobs/{id}/savepoints/{trigger}")).await {
            Ok(found) => return answer::operation(&found),
            Err(Unanswered::NotFound) => {}
            Err(_) => return None,
        }
        let (path, body) = ask?;
        match self.send("POST", &path, Some(&body)).await {
            Ok(_) => Some(Operation::InProgress),
            Err(Unanswered::Refused(why)) => Some(Operation::Failed(why)),
            Err(_) => None,
        }
    }

    /// Lag, back pressure and restarts, as far as they are reported.
    async fn measure(&self, id: &str, details: &Value, job: &mut Job) {
        let restarts = format!("/jobs/{id}/metrics?get=numRestarts");
        if let Ok(found) = self.get(&restarts).await {
            job.restarts = answer::metric(&found, "numRestarts");
        }
        let mut lags = Vec::new();
        for vertex in answer::sources(details).into_iter().take(SOURCES) {
            let path = format!("/jobs/{id}/vertices/{vertex}");
            if let Ok(found) = self.get(&format!("{path}/backpressure")).await {
                let level = answer::backpressure(&found);
                job.backpressure = job.backpressure.take().max(level);
            }
            let metrics = format!("{path}/subtasks/metrics");
            let Ok(names) = self.get(&metrics).await else {
                continue;
            };
            let names = answer::lag_metrics(&names);
            if names.is_empty() {
                continue;
            }
            if let Ok(found) = self
                .get(&format!("{metrics}?get={}", names.join(",")))
                .await
            {
                lags.push(found);
            }
        }
        job.lag = answer::lag(&lags);
        // Levels are in an order of their own.
        job.backpressure = job
            .backpressure
            .take()
            .map(|level| answer::level_name(&level));
    }

    async fn get(&self, path: &str) -> Result<Value, Unanswered> {
        self.send("GET", path, None).await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Unanswered> {
        match tokio::time::timeout(ANSWER_WITHIN, self.exchange(method, path, body)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Unanswered::Unreachable(format!(
                "no answer within {} s",
                ANSWER_WITHIN.as_secs()
            ))),
        }
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Unanswered> {
        let unreachable = |why: String| Unanswered::Unreachable(why);
        let uri = format!(
            "/api/v1/namespaces/{}/services/{}:rest/proxy{path}",
            self.namespace, self.service
        );
        let mut request = http::Request::builder().method(method).uri(uri);
        if body.is_some() {
            request = request.header("Content-Type", "application/json");
        }
        let content = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let request = request
            .body(Body::from(content))
            .map_err(|error| unreachable(error.to_string()))?;
        let response = self.client.send(request).await;
        let response = response.map_err(|error| unreachable(error.to_string()))?;
        let status = response.status();
        let bytes = Limited::new(response.into_body(), LARGEST).collect().await;
        let bytes = bytes
            .map_err(|error| unreachable(error.to_string()))?
            .to_bytes();
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(answer);
        }
        match answer::errors(&answer) {
            Some(_) if status.as_u16() == 404 => Err(Unanswered::NotFound),
            // While it looks for its leader.
            Some(errors) if status.as_u16() == 503 => Err(unreachable(errors)),
            Some(errors) => Err(Unanswered::Refused(errors)),
            // Not Flink's: the API server's own, or of whatever else listens there.
            None => {
                let said = answer["message"]
                    .as_str()
                    .unwrap_or("no job manager answers");
                Err(unreachable(answer::first_line(said)))
            }
        }
    }
}
