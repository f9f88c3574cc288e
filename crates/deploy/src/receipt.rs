//! The receipt of a failed deploy: gathered just before the state `failed` is written, and kept in
//! the same transaction.
//!
//! Guarantees:
//! - There is one for a deploy: a server that is killed while it gathers has written neither it nor
//!   the state, and the next one gathers anew.
//! - Gathering ends within [`GATHER_WITHIN`], whatever is away; what could not be had is named.
//! - What is kept is at most [`MAX_BYTES`] of JSON, without secrets ([`mask`]).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use hermez_api::{
    DeployComparison, DeployState, Evidence, FailedContainer, KubernetesEvent, ReceiptLine,
    RollbackTarget,
};
use hermez_cluster::WorkloadKey;
use hermez_kinds::Config;
use hermez_store::{DeployRecord, DeployWrite};
use jiff::Timestamp;
use serde_json::Value;

use crate::witness::{Witness, read_lines};
use crate::{Road, RoadError};

pub(crate) mod evidence;
pub mod mask;

pub use evidence::MAX_BYTES;
use evidence::{
    MAX_CONTAINERS, MAX_LINES, clip, compared, events_since, failing, last_lines, restarted,
};
use mask::Masks;

/// Longest time that gathering takes: a third of a deploy's lease at most.
pub const GATHER_WITHIN: Duration = Duration::from_secs(5);
/// Longest sentence, in bytes.
pub(crate) const SENTENCE_BYTES: usize = 4096;

/// What the cluster shows of a failure.
#[derive(Default)]
struct Shown {
    containers: Vec<FailedContainer>,
    events: Vec<KubernetesEvent>,
    missing: Vec<String>,
}

/// What lies between the deploy and the last one that succeeded.
#[derive(Default)]
struct Change {
    comparison: Option<DeployComparison>,
    manifests: Vec<Value>,
    /// Whether the deploy's own manifest is among them.
    has_own: bool,
    missing: Vec<String>,
}

/// The write that ends a deploy in failure, with its receipt, and without secrets.
pub(crate) async fn with_evidence(
    road: &Road,
    deploy: &DeployRecord,
    key: &WorkloadKey,
    witness: &Witness,
    mut write: DeployWrite,
) -> DeployWrite {
    let begun = Instant::now();
    let cause = write.failure_cause.clone().unwrap_or_default();
    let (shown, change, built, rollback) = tokio::join!(
        within(
            "the containers and events",
            shown(road, deploy, key, witness, &cause)
        ),
        within(
            "the comparison with the last good deploy",
            change(road, deploy)
        ),
        within("the build's last lines", build_lines(road, deploy, &cause)),
        within(
            "what a rollback would bring back",
            road.rollback_target(deploy)
        ),
    );
    let mut missing = Vec::new();
    let shown = shown.unwrap_or_else(|why| {
        missing.push(why);
        // What was kept while the rollout was watched needs nobody's answer.
        Shown {
            containers: witness.kept(&[]),
            ..Shown::default()
        }
    });
    let change = or_missing(change, &mut missing);
    let masks = Masks::of(change.manifests.iter().chain(&witness.manifest));
    let mut containers = masked(shown.containers, &masks);
    if !change.has_own && witness.manifest.is_none() && !containers.is_empty() {
        // Better no lines than secrets.
        for container in &mut containers {
            container.lines.clear();
        }
        let why = "the last lines: without the manifest it is not known which secrets to mask";
        missing.push(why.to_owned());
    }
    let built = flat(built, &mut missing);
    let rollback = flat(rollback, &mut missing);
    let sentence = clip(
        &masks.mask(write.message.as_deref().unwrap_or(&deploy.message)),
        SENTENCE_BYTES,
    );
    write.hint = write.hint.map(|hint| masks.mask(&hint));
    write.message = Some(sentence.clone());
    let mut evidence = Evidence {
        gathered_at: Timestamp::now(),
        took_ms: 0,
        next_step: evidence::next_step(&cause, &deploy.workload, write.hint.as_deref()),
        cause,
        sentence,
        containers,
        build_lines: last_lines(&built, &masks),
        events: events_since(shown.events, deploy.created_at, &masks),
        compared_with: None,
        manifest_diff: String::new(),
        images: Vec::new(),
        coming: Vec::new(),
        leaving: Vec::new(),
        more_commits: false,
        rollback,
        missing,
    };
    if let Some(comparison) = change.comparison {
        compared(&mut evidence, comparison, &masks);
    }
    evidence.missing.extend(change.missing);
    evidence.missing.extend(shown.missing);
    for missing in &mut evidence.missing {
        *missing = masks.mask(missing);
    }
    evidence.took_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
    write.evidence = Some(Box::new(evidence::fit(evidence)));
    write
}

/// Whether this write ends a deploy in failure.
pub(crate) fn is_failure(write: &DeployWrite) -> bool {
    write.state == Some(DeployState::Failed)
}

/// What is found in time, or that it was not.
async fn within<T>(what: &str, find: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(GATHER_WITHIN, find)
        .await
        .map_err(|_| format!("{what}: no answer within {} s", GATHER_WITHIN.as_secs()))
}

fn or_missing<T: Default>(found: Result<T, String>, missing: &mut Vec<String>) -> T {
    found.unwrap_or_else(|why| {
        missing.push(why);
        T::default()
    })
}

fn flat<T: Default>(found: Result<Result<T, RoadError>, String>, missing: &mut Vec<String>) -> T {
    or_missing(
        found.and_then(|found| found.map_err(|error| error.to_string())),
        missing,
    )
}

/// Containers with what they say bounded and without secrets.
pub(crate) fn masked(containers: Vec<FailedContainer>, masks: &Masks) -> Vec<FailedContainer> {
    let masked = containers.into_iter().map(|it| FailedContainer {
        message: it.message.as_deref().map(|message| masks.mask(message)),
        lines: last_lines(&it.lines, masks),
        ..it
    });
    masked.collect()
}

/// The failing containers with their last lines, and the events.
async fn shown(
    road: &Road,
    deploy: &DeployRecord,
    key: &WorkloadKey,
    witness: &Witness,
    cause: &str,
) -> Shown {
    if deploy.applied_at.is_none() && deploy.state != DeployState::Canary {
        // What the cluster shows is another deploy's.
        return Shown::default();
    }
    let place = road.place_of_failure(deploy, key);
    let answering = place
        .as_ref()
        .and_then(|it| Some((it.answering()?, &it.key)));
    let Some((cluster, key)) = answering else {
        return Shown {
            containers: witness.kept(&[]),
            missing: vec!["the containers and events: the cluster does not answer".to_owned()],
            ..Shown::default()
        };
    };
    let status = cluster.status(key);
    let mut missing = Vec::new();
    let mut containers = match cause {
        // The cluster took nothing of this version: the newest pods are of the one before.
        "admission" => Vec::new(),
        crate::gates::decide::CAUSE => {
            let ended = restarted(&status);
            if ended.is_empty() {
                failing(&status)
            } else {
                ended
            }
        }
        _ => failing(&status),
    };
    let reads = containers.iter().map(|it| read_lines(cluster, key, it));
    let lines: Vec<_> = stream::iter(reads.collect::<Vec<_>>())
        .buffered(MAX_CONTAINERS)
        .collect()
        .await;
    let there: Vec<&str> = status.pods.iter().map(|pod| pod.name.as_str()).collect();
    let mut kept: BTreeMap<_, _> = witness.lines();
    for (container, read) in containers.iter_mut().zip(lines) {
        let name = (container.pod.clone(), container.container.clone());
        match (read, kept.remove(&name)) {
            (Ok(lines), _) if !lines.is_empty() => container.lines = lines,
            (_, Some(lines)) => container.lines = lines,
            (Ok(_), None) => {}
            (Err(why), None) => {
                missing.push(format!("the last lines of {}/{}: {why}", name.0, name.1));
            }
        }
    }
    let gone = witness.kept(&there);
    containers.extend(gone);
    containers.truncate(MAX_CONTAINERS);
    Shown {
        containers,
        events: status.events,
        missing,
    }
}

/// The comparison with the last deploy before this one that succeeded, and both manifests.
async fn change(road: &Road, deploy: &DeployRecord) -> Change {
    let mut change = Change::default();
    let found = async {
        let good = road.last_good_before(deploy).await?;
        // What is missing is said by the comparison.
        let (_, own) = road.version(deploy, &mut Vec::new()).await?;
        let before = match &good {
            Some(good) => road.version(good, &mut Vec::new()).await?.1,
            None => None,
        };
        let has_own = own.is_some();
        let texts: Vec<String> = own.into_iter().chain(before).collect();
        let workload = road
            .parts()
            .store
            .workload_by_id(deploy.workload_id)
            .await?;
        let comparison = match (&workload, &good) {
            (Some(workload), Some(good)) => {
                Some(road.compare_records(workload, good, deploy).await?)
            }
            _ => None,
        };
        Ok::<_, RoadError>((comparison, texts, has_own))
    };
    match found.await {
        Ok((comparison, texts, has_own)) => {
            change.has_own = has_own;
            if comparison.is_none() {
                let why = "nothing to compare with: no deploy before this one has succeeded";
                change.missing.push(why.to_owned());
            }
            change.comparison = comparison;
            let configs = texts
                .iter()
                .filter_map(|text| Config::from_manifest(text.as_bytes()).ok());
            change.manifests = configs.map(|config| config.resource.to_json()).collect();
        }
        Err(error) => change
            .missing
            .push(format!("the comparison with the last good deploy: {error}")),
    }
    change
}

async fn build_lines(
    road: &Road,
    deploy: &DeployRecord,
    cause: &str,
) -> Result<Vec<ReceiptLine>, RoadError> {
    let (Some(build), "build") = (deploy.build_id, cause) else {
        return Ok(Vec::new());
    };
    let lines = road
        .parts()
        .store
        .build_log_end(build, MAX_LINES as u64)
        .await?;
    let lines = lines.into_iter().map(|line| ReceiptLine {
        at: Some(line.at),
        text: line.text,
    });
    Ok(lines.collect())
}

impl Road {
    /// The last deploy before this one that succeeded.
    async fn last_good_before(
        &self,
        deploy: &DeployRecord,
    ) -> Result<Option<DeployRecord>, RoadError> {
        let store = &self.parts().store;
        Ok(store.good_deploy_before(deploy).await?)
    }

    /// What a rollback would bring back from this very deploy; nothing when the cluster was never
    /// told to run it, or there is nothing to go back to.
    async fn rollback_target(
        &self,
        deploy: &DeployRecord,
    ) -> Result<Option<RollbackTarget>, RoadError> {
        if deploy.applied_at.is_none() || deploy.pull_request.is_some() {
            return Ok(None);
        }
        match self.rollback_of(&deploy.workload).await {
            Ok((left, target)) if left.id == deploy.id => Ok(Some(RollbackTarget {
                deploy_id: target.id,
                commit: target.commit,
                title: clip(&target.title, 200),
            })),
            Ok(_) | Err(RoadError::CannotRollBack(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
