//! How many pods a workload has: by a person, by its load, or as its config file says.
//!
//! A change is in the ledger before it is in the cluster. What is pending is written, and what has an
//! end is taken back, by one loop that sleeps until something is due; doing either twice changes
//! nothing more, and the cluster refuses a change that was overtaken ([`hermez_cluster::Scaled`]).

mod settings;

use std::time::Duration;

use hermez_api::{
    ReleaseScale, ScaleBounds, ScaleChange, ScaleChangeKind, ScaleChangeState, ScaleLastChange,
    ScaleOwner, ScaleStatus, SetAutoscaling, SetScale,
};
use hermez_cluster::{ClusterError, ScaleFacts, Scaled, Scaling, WorkloadKey};
use hermez_kinds::Kind;
use hermez_kinds::names::{DEPLOY_MANAGER, HAND_MANAGER};
use hermez_store::{NewScaleChange, ScaleChangeRecord, ScaleWrite, WorkloadRecord};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::requests::bounded;
use crate::{Road, RoadError};

use settings::{check_bounds, check_settings};

/// Most pods of any workload.
pub const MAX_REPLICAS: i32 = 10_000;
/// Longest time until a change ends by itself.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366);
/// Pause after the cluster did not take a change for a reason around it.
const TRY_AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// How long a change that was just asked for is left to whoever asked.
const LEFT_ALONE: SignedDuration = SignedDuration::from_secs(5);
/// Longest time between two looks at what is due: another server may have asked.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How long a request waits for the watches to see what it wrote.
const SEEN_WITHIN: Duration = Duration::from_secs(2);
/// Field manager of an autoscaler.
const AUTOSCALER: &str = "kube-controller-manager";
/// Changes of one look.
const BATCH: u64 = 100;

fn invalid(field: &'static str, message: String, hint: &'static str) -> RoadError {
    RoadError::Invalid {
        field,
        message,
        hint,
    }
}

/// Checks the number of pods that a person asks for.
///
/// # Errors
/// A sentence that says which numbers are taken.
pub fn check_replicas(replicas: i64, bounds: ScaleBounds) -> Result<i32, String> {
    let ScaleBounds { min, max } = bounds;
    match i32::try_from(replicas) {
        Ok(0) => Ok(0),
        Ok(count) if (min..=max).contains(&count) => Ok(count),
        _ if replicas < 0 => Err(format!(
            "is {replicas}, and a number of pods cannot be negative"
        )),
        _ => {
            let or_none = if min > 0 { ", or 0" } else { "" };
            Err(format!(
                "is {replicas}, and this workload takes {min} to {max} pods{or_none}"
            ))
        }
    }
}

/// Checks when a change ends.
///
/// # Errors
/// A sentence that says which times are taken.
pub fn check_until(until: Option<Timestamp>, now: Timestamp) -> Result<(), String> {
    match until {
        Some(until) if until <= now => Err(format!("is {until}, and that is over")),
        Some(until) if until.duration_since(now) > LONGEST => {
            Err(format!("is {until}, more than a year from now"))
        }
        _ => Ok(()),
    }
}

/// What a change of the ledger means for the cluster at `now`.
pub fn wanted(change: &ScaleChange, now: Timestamp) -> Scaling {
    if change.until.is_some_and(|until| until <= now) {
        return Scaling::File;
    }
    match (change.kind, change.replicas, &change.autoscaling) {
        (ScaleChangeKind::Replicas, Some(replicas), _) => Scaling::Replicas {
            replicas,
            fixed: change.fixed,
        },
        (ScaleChangeKind::Autoscaling, _, Some(settings)) => {
            Scaling::Autoscaling(serde_json::to_value(settings).unwrap_or_default())
        }
        _ => Scaling::File,
    }
}

/// The same error, said of one cluster of several.
fn in_cluster(error: ClusterError, name: &str) -> ClusterError {
    match error {
        ClusterError::Unreachable(why) => ClusterError::Unreachable(format!("{name}: {why}")),
        ClusterError::Unavailable(why) => ClusterError::Unavailable(format!("{name}: {why}")),
        ClusterError::Refused { object, message } => ClusterError::Refused {
            object: format!("{object} in {name}"),
            message,
        },
        other => other,
    }
}

/// How a change goes on that was brought to all clusters of its workload: the server's `own` one and
/// the others, of which the first that did not take it is `left`.
fn after_all(
    change: &ScaleChange,
    own: Result<Scaled, &ClusterError>,
    left: Option<&ClusterError>,
    now: Timestamp,
) -> ScaleWrite {
    match (own, left) {
        (Ok(Scaled::Written), Some(error)) if error.is_transient() => {
            after(change, Err(error), now)
        }
        // It holds in the server's own cluster, and is taken back there when its time is over.
        (Ok(Scaled::Written), Some(error)) => ScaleWrite {
            message: Some(error.to_string()),
            ..after(change, own, now)
        },
        _ => after(change, own, now),
    }
}

/// How a change goes on after it was brought to the cluster, as `written` says.
pub fn after(
    change: &ScaleChange,
    written: Result<Scaled, &ClusterError>,
    now: Timestamp,
) -> ScaleWrite {
    let ends = |state, message: &str| ScaleWrite {
        state,
        message: Some(message.to_owned()),
        due_at: None,
    };
    match written {
        Ok(Scaled::Overtaken) => ends(
            ScaleChangeState::Replaced,
            "a later change is in the cluster already",
        ),
        Ok(Scaled::Written) => match wanted(change, now) {
            Scaling::File if change.kind == ScaleChangeKind::File => {
                ends(ScaleChangeState::Ended, "the config file says how many")
            }
            Scaling::File => ends(
                ScaleChangeState::Ended,
                "its time was over; the config file says how many",
            ),
            _ => ScaleWrite {
                state: ScaleChangeState::Active,
                message: None,
                due_at: change.until,
            },
        },
        Err(error) if error.is_transient() => ScaleWrite {
            state: change.state,
            message: Some(format!("{error}; trying again")),
            due_at: Some(now + TRY_AGAIN),
        },
        // There is nothing left that could be taken back.
        Err(ClusterError::NotFound(_)) => ends(
            ScaleChangeState::Ended,
            "the workload is no longer in the cluster",
        ),
        Err(error) => ends(ScaleChangeState::Refused, &error.to_string()),
    }
}

/// Whether another number stands in the cluster than a person's change says, written there past
/// Hermez: the number of the change stays on the resource then.
fn is_written_over(facts: &ScaleFacts, replicas: Option<i32>, change: &ScaleChange) -> bool {
    let by_another = facts.written_by.as_ref().is_some_and(|(manager, _)| {
        !facts.by_deploy && ![HAND_MANAGER, AUTOSCALER].contains(&manager.as_str())
    });
    by_another && replicas.is_some() && replicas != change.replicas
}

/// Who says how many pods there are, in one sentence.
pub fn owner(
    facts: &ScaleFacts,
    replicas: Option<i32>,
    standing: Option<&ScaleChange>,
) -> (ScaleOwner, String) {
    let scaled = facts.autoscaling.is_some() && replicas != Some(0);
    let own = standing.filter(|change| facts.change == Some(change.id));
    let written_over = own.is_some_and(|change| is_written_over(facts, replicas, change));
    if let Some(change) = own {
        let end = match change.until {
            Some(until) => format!(" until {}", shown(until)),
            None => String::new(),
        };
        let (by, reason) = (&change.by, &change.reason);
        if change.kind == ScaleChangeKind::Autoscaling && scaled {
            let message = format!("an autoscaler, as {by} set it{end}: {reason}");
            return (ScaleOwner::Autoscaler, message);
        }
        // Where an autoscaler is left all the same, it changes a person's number.
        if !written_over && !scaled {
            return (ScaleOwner::Person, format!("{by}{end}: {reason}"));
        }
    }
    if scaled {
        let message = "an autoscaler, as the config file says".to_owned();
        return (ScaleOwner::Autoscaler, message);
    }
    match &facts.written_by {
        Some((manager, _)) if manager == AUTOSCALER && facts.change.is_none() => (
            ScaleOwner::Other,
            "the last number of an autoscaler that there is no more; deploys leave it until it is given back to the config file: hermez scale --file".to_owned(),
        ),
        Some((manager, _)) if !facts.by_deploy && (facts.change.is_none() || written_over) => (
            ScaleOwner::Other,
            format!("{manager}, which wrote to the cluster itself; deploys leave it"),
        ),
        _ => (ScaleOwner::File, "the config file".to_owned()),
    }
}

fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Who changed the number last.
fn last_change(
    facts: &ScaleFacts,
    deploy_id: Option<i64>,
    newest: Option<&ScaleChange>,
) -> Option<ScaleLastChange> {
    let is_newer = |change: &&ScaleChange, at: Option<Timestamp>| {
        at.is_none_or(|at| change.at >= at - SignedDuration::from_secs(1))
    };
    let (manager, at, newest) = if let Some((manager, at)) = facts.written_by.clone() {
        (manager, at, newest.filter(|it| is_newer(it, at)))
    } else {
        // Nobody owns a number that the config file does not name: the ledger knows.
        let change = newest?;
        let at = change.until.unwrap_or(change.at);
        (DEPLOY_MANAGER.to_owned(), Some(at), newest)
    };
    let by_hermez = [DEPLOY_MANAGER, HAND_MANAGER].contains(&manager.as_str());
    if let Some(change) = newest.filter(|_| by_hermez) {
        let message = match change.kind {
            ScaleChangeKind::File => format!("{} gave it back to the config file", change.by),
            _ if change.state == ScaleChangeState::Ended => {
                format!("the time that {} had set was over", change.by)
            }
            _ => format!("{}: {}", change.by, change.reason),
        };
        let by = "person".to_owned();
        return Some(ScaleLastChange { by, message, at });
    }
    let (by, message) = match manager.as_str() {
        AUTOSCALER => (
            "autoscaler".to_owned(),
            "the autoscaler followed the load".to_owned(),
        ),
        _ if facts.by_deploy => (
            "deploy".to_owned(),
            match deploy_id {
                Some(id) => format!("deploy {id} brought the config file's number"),
                None => "a deploy brought the config file's number".to_owned(),
            },
        ),
        _ => (
            manager.clone(),
            format!("{manager} wrote to the cluster itself"),
        ),
    };
    Some(ScaleLastChange { by, message, at })
}

impl Road {
    /// Asks for a number of pods; it is in the ledger before this returns, and mostly in the cluster.
    pub async fn request_scale(
        &self,
        workload: &str,
        ask: &SetScale,
        by: &str,
    ) -> Result<ScaleChange, RoadError> {
        let now = Timestamp::now();
        let workload = self.workload(workload).await?;
        let live = self.live_scale(&workload)?;
        let replicas = check_replicas(ask.replicas, workload.scale_bounds).map_err(|message| {
            // Other bounds help only where some can hold it.
            let hint = if (0..=i64::from(MAX_REPLICAS)).contains(&ask.replicas) {
                "Ask for a number within the bounds, or change them: hermez scale --bounds"
            } else {
                "Ask for a number within the bounds"
            };
            invalid("replicas", message, hint)
        })?;
        if let Some(settings) = &live.facts.autoscaling
            && replicas > 0
            && !ask.fixed
        {
            let bound = |name: &str| settings[name].as_i64().unwrap_or(1);
            return Err(RoadError::NotNow {
                message: format!(
                    "`{}` follows its load, between {} and {} pods: an autoscaler would change {replicas} at once",
                    workload.name,
                    bound("min"),
                    bound("max"),
                ),
                hint: "change its bounds (hermez autoscale), or turn it off: --fixed".to_owned(),
            });
        }
        self.keep_scale(
            &workload,
            &live,
            NewScaleChange {
                workload_id: workload.id,
                kind: ScaleChangeKind::Replicas,
                replicas: Some(replicas),
                replicas_before: live.replicas,
                autoscaling: None,
                // It stays off until the config file, or another autoscaler, says how many.
                fixed: ask.fixed || live.facts.autoscaler_off,
                reason: required_reason(&ask.reason)?,
                by: by.to_owned(),
                until: ask.until,
            },
            now,
        )
        .await
    }

    /// Asks that the number of pods follows their load.
    pub async fn request_autoscaling(
        &self,
        workload: &str,
        ask: &SetAutoscaling,
        by: &str,
    ) -> Result<ScaleChange, RoadError> {
        let now = Timestamp::now();
        let workload = self.workload(workload).await?;
        let live = self.live_scale(&workload)?;
        if live.kind != Kind::Service {
            return Err(RoadError::NotNow {
                message: format!("a {} is not scaled by its load", workload.kind),
                hint: "ask for a number of pods: hermez scale".to_owned(),
            });
        }
        check_settings(&ask.settings)?;
        check_bounds(&ask.settings, workload.scale_bounds)?;
        self.keep_scale(
            &workload,
            &live,
            NewScaleChange {
                workload_id: workload.id,
                kind: ScaleChangeKind::Autoscaling,
                replicas: None,
                replicas_before: live.replicas,
                autoscaling: Some(ask.settings.clone()),
                fixed: false,
                reason: required_reason(&ask.reason)?,
                by: by.to_owned(),
                until: ask.until,
            },
            now,
        )
        .await
    }

    /// Lets the config file say how many pods there are; asking again changes nothing.
    pub async fn release_scale(
        &self,
        workload: &str,
        ask: &ReleaseScale,
        by: &str,
    ) -> Result<ScaleChange, RoadError> {
        let now = Timestamp::now();
        let reason = bounded("reason", ask.reason.as_deref())?;
        let workload = self.workload(workload).await?;
        let live = self.live_scale(&workload)?;
        self.keep_scale(
            &workload,
            &live,
            NewScaleChange {
                workload_id: workload.id,
                kind: ScaleChangeKind::File,
                replicas: None,
                replicas_before: live.replicas,
                autoscaling: None,
                fixed: false,
                reason: reason.unwrap_or_else(|| "back to the config file".to_owned()),
                by: by.to_owned(),
                until: None,
            },
            now,
        )
        .await
    }

    /// Sets the numbers of pods that people may ask for.
    pub async fn set_scale_bounds(
        &self,
        workload: &str,
        bounds: ScaleBounds,
    ) -> Result<WorkloadRecord, RoadError> {
        if bounds.min < 0 || bounds.max < bounds.min.max(1) || bounds.max > MAX_REPLICAS {
            return Err(invalid(
                "min",
                format!(
                    "and max are {} and {}, and they must be from 0 to {MAX_REPLICAS}, in this order",
                    bounds.min, bounds.max
                ),
                "Write them as MIN..MAX, for example 2..50",
            ));
        }
        Ok(self
            .parts()
            .store
            .set_scale_bounds(workload, bounds)
            .await?)
    }

    /// How many pods a workload wants, and who says so.
    pub async fn scale_status(&self, workload: &str) -> Result<ScaleStatus, RoadError> {
        let store = &self.parts().store;
        let workload = self.workload(workload).await?;
        let key = key_of(&workload);
        let mut status = ScaleStatus {
            scalable: false,
            why_not: None,
            replicas: None,
            ready: 0,
            owner: ScaleOwner::File,
            message: "the config file".to_owned(),
            change: None,
            last_change: None,
            autoscaling: None,
            bounds: workload.scale_bounds,
        };
        let standing = store.standing_scale(workload.id).await?;
        let standing = standing.map(|record| record.change);
        let live = match self.live_scale(&workload) {
            Ok(live) => live,
            Err(error) => {
                status.why_not = Some(error.to_string());
                status.change = standing;
                return Ok(status);
            }
        };
        let first = hermez_store::PageRequest::first(1);
        let newest = store.scale_changes(workload.id, &first).await?.items.pop();
        let seen = self.cluster()?.status(&key);
        (status.owner, status.message) = owner(&live.facts, live.replicas, standing.as_ref());
        status.scalable = true;
        status.replicas = live.replicas;
        status.ready = seen.pods_ready;
        status.last_change = last_change(&live.facts, live.deploy_id, newest.as_ref());
        status.autoscaling = live
            .facts
            .autoscaling
            .and_then(|settings| serde_json::from_value(settings).ok());
        status.change = standing;
        Ok(status)
    }

    /// What the cluster says of a workload's number of pods.
    fn live_scale(&self, workload: &WorkloadRecord) -> Result<Live, RoadError> {
        let kind = Kind::from_spelling(&workload.kind).filter(|kind| kind.is_scaled());
        let Some(kind) = kind else {
            return Err(RoadError::NotNow {
                message: format!("a {} has no number of pods to change", workload.kind),
                hint: "change its config file, and deploy that commit".to_owned(),
            });
        };
        let cluster = self.cluster()?;
        if !*cluster.connected().borrow() {
            let reason = "its state is not known at the moment".to_owned();
            return Err(ClusterError::Unreachable(reason).into());
        }
        let found = cluster.declared(&key_of(workload));
        let Some(declared) = found else {
            return Err(RoadError::NotNow {
                message: format!("nothing of {} runs that could be scaled", workload.name),
                hint: "deploy a commit: hermez deploy COMMIT".to_owned(),
            });
        };
        Ok(Live {
            kind,
            facts: declared.scale.clone(),
            replicas: declared.replicas,
            deploy_id: declared.deploy_id,
        })
    }

    async fn keep_scale(
        &self,
        workload: &WorkloadRecord,
        live: &Live,
        new: NewScaleChange,
        now: Timestamp,
    ) -> Result<ScaleChange, RoadError> {
        check_until(new.until, now).map_err(|message| {
            invalid(
                "until",
                message,
                "Name a time within the next year, or leave it out",
            )
        })?;
        self.refuse_if_locked(workload, &new.by, now).await?;
        let store = &self.parts().store;
        // The loop leaves it to this request, and takes it up where this server ends in between.
        let record = store.request_scale(&new, now, now + LEFT_ALONE).await?;
        let key = key_of(workload);
        let written = self.write_scale(live.kind, &key, &record).await;
        self.inner.scales.notify_waiters();
        match written? {
            Some(error) if !error.is_transient() => Err(error.into()),
            written => {
                if written.is_none() {
                    self.see_scale(&key, &record.change).await;
                }
                let read = store.scale_change(record.change.id).await?;
                Ok(read.unwrap_or(record).change)
            }
        }
    }

    /// Waits, not for long, until the watches have seen a change: whoever asks next how many pods are
    /// wanted is told of it.
    async fn see_scale(&self, key: &WorkloadKey, change: &ScaleChange) {
        let Ok(cluster) = self.cluster() else { return };
        let mut changes = cluster.changes();
        let seen = || {
            let declared = cluster.declared(key);
            let number = declared.as_ref().and_then(|declared| declared.scale.change);
            match number {
                Some(number) => number >= change.id,
                // A change back to the file takes the number away.
                None => declared.is_none() || change.kind == ScaleChangeKind::File,
            }
        };
        let wait = async {
            while !seen() {
                // One that lags looks at its own.
                if let Err(RecvError::Closed) = changes.recv().await {
                    return;
                }
            }
        };
        // The change is made, whether it was seen or not.
        let _ = tokio::time::timeout(SEEN_WITHIN, wait).await;
    }

    /// Brings a change to all clusters of its workload that take it and notes what became of it; gives
    /// the refusal of one that does not.
    async fn write_scale(
        &self,
        kind: Kind,
        key: &WorkloadKey,
        record: &ScaleChangeRecord,
    ) -> Result<Option<ClusterError>, RoadError> {
        let now = Timestamp::now();
        let change = &record.change;
        let scaling = wanted(change, now);
        let (mut own, mut left) = (Ok(Scaled::Overtaken), None);
        for name in self
            .clusters_of_workload(record.workload_id)
            .await?
            .iter()
            .rev()
        {
            let is_own = *name == self.parts().cluster_name;
            let written = match self.cluster_called(name) {
                // To ask it all the same would keep the others waiting.
                Ok(cluster) if !is_own && !*cluster.connected().borrow() => {
                    let reason = "its state is not known at the moment".to_owned();
                    Err(ClusterError::Unreachable(reason))
                }
                Ok(cluster) => cluster.scale(kind, key, change.id, &scaling).await,
                Err(error) => Err(error),
            };
            match written {
                // The server's own cluster comes last: it is what the ledger speaks of.
                written if is_own => own = written,
                // It comes there with a later deploy.
                Err(ClusterError::NotFound(_)) | Ok(_) => {}
                // The others are not to wait for it.
                Err(error) => {
                    left.get_or_insert(in_cluster(error, name));
                }
            }
        }
        let write = after_all(change, own.as_ref().copied(), left.as_ref(), now);
        self.parts().store.write_scale(change.id, &write).await?;
        Ok(own.err().or(left))
    }

    /// Brings what is due to the cluster until `shutdown`.
    pub(crate) async fn keep_scales(&self, shutdown: &CancellationToken) {
        loop {
            let asked = self.inner.scales.notified();
            let wait = match self.bring_due_scales().await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(%error, "cannot look for changes of scale; trying again");
                    LOOK_AGAIN
                }
            };
            tokio::select! {
                () = asked => {}
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Brings what is due to the cluster; says how long nothing will be.
    async fn bring_due_scales(&self) -> Result<Duration, RoadError> {
        let store = &self.parts().store;
        for record in store.due_scales(Timestamp::now(), BATCH).await? {
            let Some(workload) = store.workload_by_id(record.workload_id).await? else {
                continue; // its foreign key does not let this happen
            };
            if let Some(kind) = Kind::from_spelling(&workload.kind)
                && let Some(error) = self.write_scale(kind, &key_of(&workload), &record).await?
            {
                let change = record.change.id;
                tracing::info!(change, workload = workload.name, %error, "a change of scale was not taken");
            }
        }
        let next = store.next_scale_due().await?;
        let wait = next.map(|next| next.duration_since(Timestamp::now()));
        let wait = wait.and_then(|wait| Duration::try_from(wait.max(SignedDuration::ZERO)).ok());
        Ok(wait.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN))
    }
}

/// A workload's scale in the cluster.
struct Live {
    kind: Kind,
    facts: ScaleFacts,
    replicas: Option<i32>,
    deploy_id: Option<i64>,
}

fn key_of(workload: &WorkloadRecord) -> WorkloadKey {
    WorkloadKey {
        namespace: workload.namespace.clone(),
        name: workload.name.clone(),
    }
}

fn required_reason(reason: &str) -> Result<String, RoadError> {
    bounded("reason", Some(reason))?.ok_or_else(|| {
        invalid(
            "reason",
            "is missing".to_owned(),
            "Say why, for those who read the ledger: --reason TEXT",
        )
    })
}

#[cfg(test)]
mod tests;
