//! A resource whose controller tells in its status how far it is: every kind but the service, whose
//! Deployment tells more.

use hermez_kinds::Kind;
use jiff::Timestamp;

use super::Rollout;
use super::judge::{look, most_common, say};
use super::pod::{self, Trouble};
use super::words::counts;
use crate::declared::Declared;
use crate::index::Workload;
use crate::view::PodView;

/// How far a resource is, from what its controller says and from its newest pods.
pub(super) fn judge(workload: &Workload, declared: &Declared, now: Timestamp) -> Rollout {
    let progress = &declared.progress;
    let speaks_of_it = progress.deploy_id.is_none() || progress.deploy_id == declared.deploy_id;
    if !progress.observed || !speaks_of_it {
        return Rollout::waiting("The controller has not taken up the new version yet");
    }
    // Its pods' versions are Kubernetes' own, which a StatefulSet names when it has seen the spec.
    if declared.kind == Kind::StatefulSet && progress.revision.is_none() {
        return Rollout::waiting("Kubernetes has not taken up the new StatefulSet yet");
    }
    let (ready, desired) = (progress.ready, progress.desired);
    let Some(doing) = &progress.reconciling else {
        return Rollout::Complete { ready, desired };
    };
    let troubles: Vec<Trouble> = newest_pods(workload, declared)
        .filter_map(|pod| pod::trouble(look(pod, workload, now)))
        .collect();
    if let Some((trouble, count)) = most_common(troubles.iter().filter(|t| t.certain)) {
        return Rollout::Failed {
            cause: trouble.cause,
            ready,
            desired,
            message: say(trouble, count, ready, desired),
            hint: trouble.hint.clone(),
        };
    }
    let message = match most_common(troubles.iter()) {
        Some((trouble, count)) => say(trouble, count, ready, desired),
        None if doing.is_empty() => counts(ready, desired),
        None => doing.clone(),
    };
    Rollout::Progressing {
        ready,
        desired,
        message,
    }
}

/// The pods of the newest version whose troubles are the deploy's. Of jobs, a pod that ran and
/// failed may be retried, which the controller judges; one that cannot start is judged here.
pub(super) fn newest_pods<'a>(
    workload: &'a Workload,
    declared: &'a Declared,
) -> impl Iterator<Item = &'a PodView> {
    let ends = matches!(
        declared.kind,
        Kind::CronJob | Kind::JobSet | Kind::TrainingJob
    );
    let newest = workload.newest_version();
    let pods = workload.pods.iter().map(AsRef::as_ref);
    pods.filter(move |pod: &&PodView| {
        let is_new = newest.is_none_or(|newest| newest == pod.hash);
        is_new && !pod.deleting && (!ends || pod.phase == "Pending")
    })
}
