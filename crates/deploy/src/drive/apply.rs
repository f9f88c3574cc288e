//! Writes what a deploy brings out to its clusters: the workload's resource, or its canary.

use std::time::Duration;

use hermez_api::{DeployKind, DeployPlan, ScaleChangeState};
use hermez_artifact::ArtifactError;
use hermez_cluster::{Cluster, ClusterError, DeployMark, WorkloadKey};
use hermez_kinds::preview::PreviewOf;
use hermez_kinds::{Config, Kind};
use hermez_store::{Applied, DeployRecord, DeployWrite, Store, StoreError, WorkloadRecord};
use jiff::Timestamp;

use super::{AFTER_ERROR, Looked, Work, end, write_down};
use crate::receipt::mask::mask;
use crate::strategy::place::{Place, canary_key};
use crate::strategy::{canary, waves};
use crate::witness::Witness;
use crate::{Road, gates, scale, state};

/// Why a manifest was not written to the cluster.
#[derive(Debug)]
pub(crate) struct NotApplied {
    /// A stable word.
    pub cause: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether trying again may help.
    pub transient: bool,
}

impl NotApplied {
    /// The same, said of one cluster of several.
    fn named(self, cluster: &str) -> Self {
        NotApplied {
            message: format!("{cluster}: {}", self.message),
            ..self
        }
    }
}

impl From<ArtifactError> for NotApplied {
    fn from(error: ArtifactError) -> Self {
        let (hint, transient) = (error.hint(), error.is_transient());
        NotApplied {
            cause: "registry",
            message: error.to_string(),
            hint,
            transient,
        }
    }
}

impl From<ClusterError> for NotApplied {
    fn from(error: ClusterError) -> Self {
        let cause = match &error {
            ClusterError::Refused { message, .. } if message.contains("exceeded quota") => "quota",
            ClusterError::Refused { .. } => "admission",
            _ => "cluster",
        };
        let (hint, transient) = (error.hint(), error.is_transient());
        NotApplied {
            cause,
            message: error.to_string(),
            hint,
            transient,
        }
    }
}

impl From<StoreError> for NotApplied {
    fn from(error: StoreError) -> Self {
        NotApplied {
            cause: "database",
            transient: error.is_transient(),
            message: error.to_string(),
            hint: None,
        }
    }
}

impl Road {
    /// What a deploy brings out: the config as it is, or a pull request's own instance of it.
    async fn shaped(&self, deploy: &DeployRecord, config: Config) -> Result<Config, NotApplied> {
        let Some(number) = deploy.pull_request else {
            return Ok(config);
        };
        let store = &self.parts().store;
        let preview = store.preview(deploy.workload_id, number).await?;
        let gone = || NotApplied {
            cause: "preview",
            message: format!("the preview of pull request {number} was removed"),
            hint: Some(format!("deploy it again: hermez deploy --pr {number}")),
            transient: false,
        };
        let preview = preview.ok_or_else(gone)?;
        let of = PreviewOf {
            instance: &deploy.instance,
            pull_request: number,
            replicas: preview.replicas,
            deploy_id: deploy.id,
        };
        // The load balancer says which port is meant, and goes.
        let port = config.port();
        let config = hermez_kinds::preview::preview(&config, of).map_err(|error| NotApplied {
            cause: "manifest",
            message: format!("the config file cannot become a preview: {error}"),
            hint: None,
            transient: false,
        })?;
        // Before it is written: whoever removes the preview knows that there may be something.
        store
            .preview_applied(deploy.workload_id, number, preview.replicas, port)
            .await?;
        Ok(config)
    }
}

/// The reference (by digest) of the manifest that a deploy brings out; none where its artifact is gone.
pub(super) async fn manifest_reference(
    store: &Store,
    deploy: &DeployRecord,
) -> Result<Option<String>, StoreError> {
    // What ran before is written to the byte; a commit's artifact never changes either.
    if deploy.manifest.is_some() {
        return Ok(deploy.manifest.clone());
    }
    let artifact = store.artifact(deploy.workload_id, &deploy.commit).await?;
    Ok(artifact.map(|artifact| artifact.manifest))
}

/// The manifest that a deploy brings out, by digest, and as it is read.
async fn manifest_of(road: &Road, deploy: &DeployRecord) -> Result<(String, Config), NotApplied> {
    let gone = || NotApplied {
        cause: "registry",
        message: "the artifact of this commit is gone".to_owned(),
        hint: Some("build the commit again, then deploy it".to_owned()),
        transient: false,
    };
    let manifest = manifest_reference(&road.parts().store, deploy).await?;
    let manifest = manifest.ok_or_else(gone)?;
    let bytes = road.manifest(&manifest).await?;
    let config = Config::from_manifest(&bytes).map_err(|error| NotApplied {
        cause: "manifest",
        message: format!("the published manifest cannot be read: {error}"),
        hint: Some("build the commit again, then deploy it".to_owned()),
        transient: false,
    })?;
    Ok((manifest, road.shaped(deploy, config).await?))
}

/// The marks of a deploy on what it writes.
async fn mark_of(
    road: &Road,
    deploy: &DeployRecord,
    workload: Option<&WorkloadRecord>,
) -> Result<DeployMark, NotApplied> {
    let store = &road.parts().store;
    let repository = match workload {
        Some(workload) => store.repository(workload.repository_id).await?,
        None => None,
    };
    Ok(DeployMark {
        deploy_id: deploy.id,
        commit: deploy.commit.clone(),
        repository: repository
            .map(|repository| repository.url)
            .unwrap_or_default(),
        restarted_at: (deploy.kind == DeployKind::Restart).then_some(deploy.created_at),
        paused: deploy.paused_by.is_some(),
    })
}

/// What a deploy brings out, with its marks; its gate is kept before anything is changed.
async fn prepared(
    road: &Road,
    work: &Work,
    deploy: &DeployRecord,
    witness: &mut Witness,
) -> Result<(String, Config, DeployMark), NotApplied> {
    let workload = work.workload.as_ref();
    let ((manifest, config), mark) =
        tokio::try_join!(manifest_of(road, deploy), mark_of(road, deploy, workload))?;
    let resource = witness.manifest.insert(config.resource.to_json());
    gates::prepare(road, work.lease, deploy, workload, &work.key, resource).await?;
    Ok((manifest, config, mark))
}

/// Brings the number of pods that holds to a further cluster, which a deploy may just have entered.
async fn scale_like_the_others(
    road: &Road,
    cluster: &Cluster,
    workload: &WorkloadRecord,
    key: &WorkloadKey,
) -> Result<(), NotApplied> {
    let standing = road.parts().store.standing_scale(workload.id).await?;
    let holds = standing.filter(|it| it.change.state == ScaleChangeState::Active);
    let kind = Kind::from_spelling(&workload.kind).filter(|kind| kind.is_scaled());
    if let (Some(record), Some(kind)) = (holds, kind) {
        let scaling = scale::wanted(&record.change, Timestamp::now());
        let change = record.change.id;
        cluster.scale(kind, key, change, &scaling).await?;
    }
    Ok(())
}

/// Writes what a deploy brings out to one of its clusters.
async fn write_in(
    road: &Road,
    work: &Work,
    place: &Place,
    (config, mark): (&Config, &DeployMark),
) -> Result<(), NotApplied> {
    let cluster = road.cluster_called(&place.name)?;
    if place.answering().is_none() {
        // To ask it all the same would keep the others waiting.
        let reason = "its state is not known at the moment".to_owned();
        return Err(ClusterError::Unreachable(reason).into());
    }
    cluster.apply(&config.resource, mark.clone()).await?;
    let is_own = place.name == road.parts().cluster_name;
    if let Some(workload) = work.workload.as_ref().filter(|_| !is_own) {
        scale_like_the_others(road, &cluster, workload, &place.key).await?;
    }
    Ok(())
}

/// Writes the commit's manifest to the clusters of its wave. Doing it twice changes nothing more. What
/// takes trouble away reaches all of them that take it, before it is told that one does not.
pub(super) async fn apply(
    road: &Road,
    work: &Work,
    deploy: &DeployRecord,
    witness: &mut Witness,
) -> Result<Looked, StoreError> {
    let (store, lease) = (&road.parts().store, work.lease);
    let mut in_part = None;
    let written = async {
        let (manifest, config, mark) = prepared(road, work, deploy, witness).await?;
        let applied = Applied {
            manifest,
            paused: mark.paused,
        };
        let places = road.places(deploy, &work.key);
        let several = places.len() > 1;
        let mut left_out = None;
        for place in &places {
            let wrote = write_in(road, work, place, (&config, &mark)).await;
            if let Err(why) = wrote {
                let why = if several { why.named(&place.name) } else { why };
                if !waves::is_remedy(deploy) {
                    return Err(why);
                }
                left_out.get_or_insert(why);
                continue;
            }
            if several && in_part.is_none() && deploy.applied_at.is_none() {
                // Before the others: whoever ends the deploy knows that there is something of it.
                let knows = DeployWrite {
                    applied: Some(applied.clone()),
                    ..DeployWrite::default()
                };
                in_part = store.write_deploy(lease, &knows, Timestamp::now()).await?;
            }
        }
        match left_out {
            Some(why) => Err(why),
            None => Ok((applied, config.resource.progress_deadline_seconds())),
        }
    };
    let written = written.await;
    match written {
        Ok((applied, progress_deadline_seconds)) => {
            let now = Timestamp::now();
            let write = state::applied(deploy, applied, progress_deadline_seconds, now);
            write_down(store, lease, &write, now).await
        }
        Err(why) => {
            let deploy = in_part.as_ref().unwrap_or(deploy);
            not_applied(road, work, deploy, witness, why).await
        }
    }
}

/// Writes a deploy's canary with that many pods. Doing it twice changes nothing more.
pub(super) async fn write_canary(
    road: &Road,
    work: &Work,
    deploy: &DeployRecord,
    witness: &mut Witness,
    pods: i32,
) -> Result<Looked, StoreError> {
    let (store, lease) = (&road.parts().store, work.lease);
    let written = async {
        let (_, config, mark) = prepared(road, work, deploy, witness).await?;
        let refused = |message: String| NotApplied {
            cause: "canary",
            message,
            hint: Some("leave the canary out: hermez strategy clear".to_owned()),
            transient: false,
        };
        let canary = hermez_kinds::canary::canary(&config, pods)
            .map_err(|error| refused(format!("the config file cannot become a canary: {error}")))?;
        let cluster = road.cluster()?;
        let there = cluster.declared(&canary_key(&work.key));
        if there.is_some_and(|it| it.canary_of.as_deref() != Some(config.name.as_str())) {
            let name = &canary.name;
            return Err(refused(format!("`{name}` is the name of another workload")));
        }
        // Before it is written: whoever ends the deploy knows that there may be something.
        let plan = DeployPlan {
            canary_pods: Some(pods),
            ..deploy.plan.clone().unwrap_or_default()
        };
        let knows = DeployWrite {
            plan: Some(plan),
            ..DeployWrite::default()
        };
        store.write_deploy(lease, &knows, Timestamp::now()).await?;
        cluster.apply(&canary.resource, mark).await?;
        Ok::<_, NotApplied>(config.resource.progress_deadline_seconds())
    };
    let written = written.await;
    let now = Timestamp::now();
    match written {
        Ok(seconds) => {
            let write = canary::written(deploy, pods, seconds, now);
            write_down(store, lease, &write, now).await
        }
        Err(why) => not_applied(road, work, deploy, witness, why).await,
    }
}

/// What follows when something was not written to a cluster.
async fn not_applied(
    road: &Road,
    work: &Work,
    deploy: &DeployRecord,
    witness: &Witness,
    why: NotApplied,
) -> Result<Looked, StoreError> {
    let now = Timestamp::now();
    let message = mask(&why.message);
    let (write, wait) =
        state::apply_failed(deploy, why.cause, &message, why.hint, why.transient, now);
    let Some(wait) = wait else {
        return Box::pin(end(road, work, deploy, witness, write)).await;
    };
    write_down(&road.parts().store, work.lease, &write, now).await?;
    // The record is read again after the wait.
    Ok(Looked::TryAgain(
        Duration::try_from(wait).unwrap_or(AFTER_ERROR),
    ))
}
