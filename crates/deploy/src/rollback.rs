//! Rolling back: which version to bring back (pure), and asking for it.
//!
//! A rollback builds nothing: it applies the manifest of a deploy that ran, by its digest. With it,
//! in one transaction, the workload is pinned and the version that is left is marked as bad.

use std::collections::HashMap;

use hermez_api::{BadArtifact, CreateRollback, DeployKind, DeployState, RollbackPlan};
use hermez_store::{
    Aftermath, ArtifactRecord, DeployFilter, DeployRecord, NewDeploy, PageRequest, WorkloadRecord,
    mark_of,
};
use jiff::Timestamp;

use crate::policy::{Held, Rule, Wanted, bad_message, verdict};
use crate::requests::{bounded, said};
use crate::{Road, RoadError};

/// Deploys that are looked through for the previous good one.
const LOOK_BACK: u64 = 200;

/// A deploy that was written to the cluster, or is at it, and the mark that its artifact bears.
#[derive(Debug, Clone)]
pub struct Past {
    /// The deploy.
    pub deploy: DeployRecord,
    /// Why it is not to be deployed again.
    pub bad: Option<BadArtifact>,
}

/// Why there is nothing to roll back to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotRollBack {
    /// Nothing was ever written to the cluster.
    #[error("`{workload}` has no history: nothing of it was ever deployed")]
    NoHistory {
        /// The workload.
        workload: String,
    },
    /// There is no earlier version that ran well.
    #[error("`{workload}` has no earlier version that ran well and is not marked as bad")]
    NoGoodOne {
        /// The workload.
        workload: String,
    },
    /// The deploy that is asked for is none of the workload's that ran.
    #[error("`{workload}` has no deploy {id} that was written to the cluster")]
    NeverRan {
        /// The deploy.
        id: i64,
        /// The workload.
        workload: String,
    },
    /// The deploy that is asked for did not end well.
    #[error("deploy {id} did not end well: it {state}")]
    NotGood {
        /// The deploy.
        id: i64,
        /// How it ended, as a verb.
        state: &'static str,
    },
    /// Somebody was faster: a rollback goes on, and the previous version is what it brings back.
    #[error("deploy {id} is rolling `{workload}` back already")]
    UnderWay {
        /// The rollback.
        id: i64,
        /// The workload.
        workload: String,
    },
    /// Something else would be left than when the asker looked.
    #[error("deploy {now} is what would be left by now, and not deploy {seen}")]
    MovedOn {
        /// The deploy that was to be left.
        seen: i64,
        /// The deploy that would be left.
        now: i64,
    },
    /// What is asked for is what the cluster runs.
    #[error("deploy {id} brought out the very version that the cluster was last told to run")]
    SameVersion {
        /// The deploy.
        id: i64,
    },
}

impl CannotRollBack {
    pub(crate) fn hint(&self) -> String {
        match self {
            CannotRollBack::NoHistory { .. } => "deploy a commit: hermez deploy COMMIT".to_owned(),
            CannotRollBack::NoGoodOne { .. } => {
                "deploy a commit that is right, or name a deploy with --to".to_owned()
            }
            CannotRollBack::NeverRan { .. } | CannotRollBack::NotGood { .. } => {
                "name a deploy that succeeded: hermez history --state succeeded".to_owned()
            }
            CannotRollBack::UnderWay { id, .. } => format!(
                "follow it: hermez deploys watch {id}; or name the version to bring back with --to"
            ),
            CannotRollBack::MovedOn { .. } => {
                "look again what a rollback would do: hermez rollback --dry-run".to_owned()
            }
            CannotRollBack::SameVersion { .. } => {
                "to replace its pods, restart it: hermez restart".to_owned()
            }
        }
    }
}

/// Chooses what is left and what is brought back, as places in `past` (newest first): `to`, or the
/// newest that ran well, is another version than the one left, and is not marked as bad. One that was
/// deployed with no pods has shown nothing, and is chosen only where no other has.
pub fn choose(
    workload: &str,
    past: &[Past],
    to: Option<i64>,
) -> Result<(usize, usize), CannotRollBack> {
    let workload = workload.to_owned();
    let Some(left) = past.first() else {
        return Err(CannotRollBack::NoHistory { workload });
    };
    let differs = |other: &Past| other.deploy.manifest != left.deploy.manifest;
    let ran_well = |other: &Past| other.deploy.state == DeployState::Succeeded;
    let Some(id) = to else {
        let goes_on = !left.deploy.state.is_over();
        if left.deploy.kind == DeployKind::Rollback && goes_on {
            let id = left.deploy.id;
            return Err(CannotRollBack::UnderWay { id, workload });
        }
        let good = |other: &Past| ran_well(other) && differs(other) && other.bad.is_none();
        let seen = |other: &Past| good(other) && other.deploy.pods_desired > 0;
        let found = past.iter().position(seen);
        let found = found.or_else(|| past.iter().position(good));
        let found = found.ok_or(CannotRollBack::NoGoodOne { workload })?;
        return Ok((0, found));
    };
    let found = past.iter().position(|other| other.deploy.id == id);
    let found = found.ok_or(CannotRollBack::NeverRan { id, workload })?;
    if !differs(&past[found]) {
        return Err(CannotRollBack::SameVersion { id });
    }
    if !ran_well(&past[found]) {
        let state = match past[found].deploy.state {
            DeployState::Failed => "failed",
            DeployState::Canceled => "was canceled",
            _ => "has not ended",
        };
        return Err(CannotRollBack::NotGood { id, state });
    }
    Ok((0, found))
}

/// What a rollback is about.
struct Choice {
    workload: WorkloadRecord,
    left: Past,
    target: Past,
}

impl Road {
    /// What a rollback would do; changes nothing.
    pub async fn plan_rollback(
        &self,
        workload: &str,
        to: Option<i64>,
    ) -> Result<RollbackPlan, RoadError> {
        let choice = self.choose_rollback(workload, to).await?;
        let (left, target) = (&choice.left.deploy, &choice.target.deploy);
        Ok(RollbackPlan {
            change: self.compare_records(&choice.workload, left, target).await?,
            bad: choice.target.bad,
            pinned: choice.workload.pin,
        })
    }

    /// Asks for a rollback: pins the workload, marks what is left as bad, stops a deploy that still
    /// brings it out.
    pub async fn request_rollback(
        &self,
        workload: &str,
        ask: &CreateRollback,
        by: &str,
    ) -> Result<DeployRecord, RoadError> {
        let reason = bounded("reason", ask.reason.as_deref())?;
        let override_reason = said("override_bad", ask.override_bad.as_deref())?;
        let Choice {
            workload,
            left,
            target,
        } = self.choose_rollback(workload, ask.to).await?;
        if let Some(seen) = ask.from.filter(|seen| *seen != left.deploy.id) {
            let now = left.deploy.id;
            return Err(CannotRollBack::MovedOn { seen, now }.into());
        }
        let now = Timestamp::now();
        self.refuse_if_locked(&workload, by, now).await?;
        let store = &self.parts().store;
        let rules = store.rules_of(&workload, now).await?;
        let wanted = Wanted {
            kind: DeployKind::Rollback,
            by,
            workload: &workload.name,
            project: &workload.project,
            deploy_id: None,
            commit: &target.deploy.commit,
            manifest: target.deploy.manifest.as_deref(),
        };
        let held = verdict(&wanted, &rules, &[], now).held();
        if let (Some(bad), None) = (&target.bad, &override_reason) {
            return Err(RoadError::Held(Held {
                rule: Rule::BadArtifact,
                message: bad_message(bad, now),
                hint: Some(
                    "choose another with --to, or say why this one is right: --override-bad REASON"
                        .to_owned(),
                ),
            }));
        }
        let why = reason.clone().unwrap_or_else(|| {
            let outcome = left.deploy.failure_cause.as_deref();
            match outcome {
                Some(_) => format!("deploy {} failed: {}", left.deploy.id, left.deploy.message),
                None => format!("rolled back from deploy {}", left.deploy.id),
            }
        });
        let why: String = why.chars().take(1000).collect();
        let artifact = self.artifact_of(&left.deploy).await?;
        let manifest = target.deploy.manifest.clone().unwrap_or_default();
        let new = NewDeploy {
            workload_id: workload.id,
            instance: workload.name.clone(),
            commit: target.deploy.commit.clone(),
            title: target.deploy.title.clone(),
            author: target.deploy.author.clone(),
            requested_by: by.to_owned(),
            reason,
            kind: DeployKind::Rollback,
            of: Some((target.deploy.id, manifest)),
            override_reason,
        };
        let aftermath = Aftermath {
            bad: artifact.map(|it| it.digests()).unwrap_or_default(),
            left: left.deploy,
            reason: why,
        };
        let asked = store.request_rollback(&new, &aftermath, held.as_ref(), now);
        Ok(asked.await?)
    }

    /// What a rollback leaves, and what it brings back.
    pub(crate) async fn rollback_of(
        &self,
        workload: &str,
    ) -> Result<(DeployRecord, DeployRecord), RoadError> {
        let choice = self.choose_rollback(workload, None).await?;
        Ok((choice.left.deploy, choice.target.deploy))
    }

    async fn choose_rollback(&self, workload: &str, to: Option<i64>) -> Result<Choice, RoadError> {
        let store = &self.parts().store;
        let workload = self.workload(workload).await?;
        let mut applied = store.applied_deploys(workload.id, LOOK_BACK).await?;
        if let Some(id) = to
            && applied.iter().all(|deploy| deploy.id != id)
            && let Some(older) = store.deploy(id).await?
            && older.workload_id == workload.id
            && older.pull_request.is_none()
            && older.applied_at.is_some()
        {
            applied.push(older);
        }
        // What is tried as a canary is left before what runs beside it.
        if let Some(mut tried) = store.unwritten_deploy(workload.id).await?
            && applied.iter().all(|deploy| deploy.id != tried.id)
        {
            if tried.manifest.is_none() {
                tried.manifest = self.artifact_of(&tried).await?.map(|it| it.manifest);
            }
            applied.insert(0, tried);
        }
        let mut past = self.with_marks(workload.id, applied).await?;
        let (left, target) = choose(&workload.name, &past, to)?;
        if to.is_none() {
            self.refuse_if_another_waits(&workload, &past[left].deploy)
                .await?;
        }
        let target = past.swap_remove(target);
        let left = past.swap_remove(left);
        Ok(Choice {
            workload,
            left,
            target,
        })
    }

    /// Refuses to leave this deploy while a rollback waits that leaves another, which is gone from the
    /// cluster already: it would go back two versions.
    async fn refuse_if_another_waits(
        &self,
        workload: &WorkloadRecord,
        left: &DeployRecord,
    ) -> Result<(), RoadError> {
        let waiting = DeployFilter {
            workload_id: Some(workload.id),
            states: vec![DeployState::Pending, DeployState::Queued],
            kind: Some(DeployKind::Rollback),
            ..DeployFilter::default()
        };
        let store = &self.parts().store;
        let found = store.deploys(&waiting, &PageRequest::default()).await?;
        let another = |it: &&DeployRecord| !it.cancel_requested && it.mends != Some(left.id);
        match found.items.iter().find(another) {
            Some(other) => Err(CannotRollBack::UnderWay {
                id: other.id,
                workload: workload.name.clone(),
            }
            .into()),
            None => Ok(()),
        }
    }

    /// Adds the marks of their artifacts to deploys: two queries.
    async fn with_marks(
        &self,
        workload_id: i64,
        deploys: Vec<DeployRecord>,
    ) -> Result<Vec<Past>, RoadError> {
        let commits = deploys.iter().map(|it| it.commit.clone()).collect();
        let marks = self.marks_of_commits(workload_id, commits).await?;
        let past = deploys.into_iter().map(|deploy| Past {
            bad: marks.get(&deploy.commit).cloned(),
            deploy,
        });
        Ok(past.collect())
    }

    /// The marks that the artifacts of a workload's commits bear, by commit: two queries.
    pub(crate) async fn marks_of_commits(
        &self,
        workload_id: i64,
        mut commits: Vec<String>,
    ) -> Result<HashMap<String, BadArtifact>, RoadError> {
        let store = &self.parts().store;
        commits.sort();
        commits.dedup();
        let artifacts = store.artifacts_of_commits(workload_id, &commits).await?;
        let digests: Vec<String> = artifacts.iter().flat_map(ArtifactRecord::digests).collect();
        let marks = store.bad_artifacts(&digests).await?;
        let marked = artifacts.into_iter().filter_map(|artifact| {
            let mark = mark_of(&artifact, &marks)?.clone();
            Some((artifact.commit, mark))
        });
        Ok(marked.collect())
    }

    /// The artifact that a deploy brings out.
    pub(crate) async fn artifact_of(
        &self,
        deploy: &DeployRecord,
    ) -> Result<Option<ArtifactRecord>, RoadError> {
        let store = &self.parts().store;
        Ok(store.artifact(deploy.workload_id, &deploy.commit).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::mk_deploy;

    /// A deploy of that version.
    fn mk(id: i64, version: &str, state: DeployState) -> Past {
        let mut deploy = mk_deploy(state);
        deploy.id = id;
        deploy.manifest = Some(version.to_owned());
        Past { deploy, bad: None }
    }

    fn marked(mut past: Past) -> Past {
        past.bad = Some(BadArtifact {
            digest: "sha256:0".into(),
            workload: "hello".into(),
            deploy_id: 1,
            commit: "c".into(),
            reason: "no".into(),
            by: "ada".into(),
            at: Timestamp::UNIX_EPOCH,
        });
        past
    }

    fn chosen(past: &[Past], to: Option<i64>) -> Result<i64, String> {
        let (left, target) = choose("hello", past, to).map_err(|error| error.to_string())?;
        assert_eq!(left, 0, "what was written last is left");
        Ok(past[target].deploy.id)
    }

    use DeployState::{Canceled, Failed, RollingOut, Succeeded};

    #[test]
    fn the_previous_good_version_is_brought_back() {
        let past = [
            mk(3, "b", Succeeded),
            mk(2, "a", Succeeded),
            mk(1, "z", Succeeded),
        ];
        assert_eq!(chosen(&past, None), Ok(2));
        // After a failure, and in the middle of a rollout, what ran before.
        let past = [mk(4, "c", Failed), mk(3, "b", Succeeded)];
        assert_eq!(chosen(&past, None), Ok(3));
        let past = [mk(4, "c", RollingOut), mk(3, "b", Succeeded)];
        assert_eq!(chosen(&past, None), Ok(3));
        // A restart of the same version is not a version before it.
        let past = [
            mk(4, "b", Succeeded),
            mk(3, "b", Succeeded),
            mk(2, "a", Succeeded),
        ];
        assert_eq!(chosen(&past, None), Ok(2));
    }

    #[test]
    fn what_ran_no_pod_is_brought_back_only_where_nothing_else_is() {
        let with = |mut past: Past, pods: i32| {
            past.deploy.pods_desired = pods;
            past
        };
        let past = [
            with(mk(3, "c", Succeeded), 2),
            with(mk(2, "b", Succeeded), 0),
            with(mk(1, "a", Succeeded), 2),
        ];
        assert_eq!(chosen(&past, None), Ok(1));
        assert_eq!(chosen(&past[..2], None), Ok(2));
        assert_eq!(chosen(&past, Some(2)), Ok(2), "who names it means it");
    }

    #[test]
    fn who_presses_second_does_not_go_back_twice() {
        let mut goes_on = mk(4, "b", RollingOut);
        goes_on.deploy.kind = DeployKind::Rollback;
        let past = [
            goes_on,
            mk(3, "c", Succeeded),
            mk(2, "b", Succeeded),
            mk(1, "a", Succeeded),
        ];
        let refused = "deploy 4 is rolling `hello` back already".to_owned();
        assert_eq!(chosen(&past, None), Err(refused));
        assert_eq!(chosen(&past, Some(1)), Ok(1), "who names one means it");
    }

    #[test]
    fn rolling_back_twice_goes_back_twice() {
        let past = [
            mk(4, "b", Succeeded),
            marked(mk(3, "c", Succeeded)),
            mk(2, "b", Succeeded),
            mk(1, "a", Succeeded),
        ];
        assert_eq!(chosen(&past, None), Ok(1));
    }

    #[test]
    fn a_deploy_can_be_named() {
        let past = [
            mk(5, "d", Succeeded),
            mk(4, "c", Canceled),
            marked(mk(3, "b", Succeeded)),
            mk(2, "d", Succeeded),
        ];
        assert_eq!(chosen(&past, Some(3)), Ok(3));
        let error = |id| chosen(&past, Some(id)).unwrap_err();
        assert_eq!(error(4), "deploy 4 did not end well: it was canceled");
        assert_eq!(
            error(9),
            "`hello` has no deploy 9 that was written to the cluster"
        );
        assert!(error(2).contains("the very version"), "{}", error(2));
    }

    #[test]
    fn without_history_it_says_so() {
        let error = chosen(&[], None).unwrap_err();
        assert_eq!(
            error,
            "`hello` has no history: nothing of it was ever deployed"
        );
        let error = chosen(&[mk(1, "a", Succeeded)], None).unwrap_err();
        assert!(
            error.contains("no earlier version that ran well"),
            "{error}"
        );
    }
}
