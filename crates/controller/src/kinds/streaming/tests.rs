//! The stages of a Flink job.

use std::time::Duration;

use hermez_kinds::RuntimeProfile;
use hermez_kinds::streamingjob::{
    CheckpointStatus, Memory, PinterestStreamingJobStatus, RestoredStatus, SavepointStatus,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::*;
use crate::flink::{Job, Observation, Operation};
use crate::kinds::{Outside, Refusal};
use crate::owned::Objects;

const OLD: &str = "file:/state/savepoints/savepoint-1";

/// A job and its controller, moved on by hand: time goes by, Flink says things.
struct World {
    job: PinterestStreamingJob,
    status: Value,
    now: Timestamp,
    seen: Option<Observation>,
    notes: Vec<&'static str>,
    again_after: Option<Duration>,
    objects: Vec<DynamicObject>,
}

impl World {
    fn new() -> World {
        World {
            job: mk_job("one"),
            status: json!({}),
            now: "2026-01-01T00:00:00Z".parse().expect("a time"),
            seen: None,
            notes: Vec::new(),
            again_after: None,
            objects: Vec::new(),
        }
    }

    /// One that runs.
    fn running() -> World {
        let mut world = World::new();
        world.step();
        world.runs(None);
        assert_eq!(world.stage(), Stage::Running);
        world.notes.clear();
        world
    }

    /// One reconcile, as the loop does it.
    fn step(&mut self) {
        let memory = self.status().memory.unwrap_or_default();
        let outside = Outside {
            flink: self.seen.clone().map(|seen| Observation {
                of: memory.attempt.job_id,
                ..seen
            }),
        };
        let resource = hermez_kinds::Resource::StreamingJob(Box::new(self.job.clone()));
        let (profile, owned) = (RuntimeProfile::plain(), Objects::new());
        let before = self.status.clone();
        let mut seen = Seen {
            resource: &resource,
            generation: Some(1),
            profile: &profile,
            owned: &owned,
            before: &before,
            now: self.now,
        };
        let plan = plan(&seen, &self.job, &outside).expect("a plan");
        let remembered = plan.status.clone().unwrap_or(before.clone());
        seen.before = &remembered;
        // A controller that is killed here, and has not asked Flink yet, goes on with the same.
        let again = super::plan(&seen, &self.job, &Outside::default()).expect("a plan");
        assert_eq!(again.status, None, "it decides the same");
        assert_eq!(again.objects, plan.objects);
        let after = status(&seen, &self.job, &outside, None);
        self.status = serde_json::to_value(after).expect("plain data");
        self.notes
            .extend(plan.notes.iter().map(|(reason, _)| *reason));
        self.again_after = plan.again_after;
        self.objects = plan.objects;
    }

    fn passes(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    fn says(&mut self, seen: Observation) {
        self.seen = Some(seen);
        self.step();
    }

    /// Flink says that all tasks run, for long enough.
    fn runs(&mut self, restored: Option<&str>) {
        self.says(mk_seen(mk_running(restored)));
        self.passes(6);
        self.step();
    }

    fn status(&self) -> PinterestStreamingJobStatus {
        serde_json::from_value(self.status.clone()).expect("a status")
    }

    fn memory(&self) -> Memory {
        self.status().memory.expect("a memory")
    }

    fn stage(&self) -> Stage {
        self.memory().stage
    }

    /// Reason and message of a condition.
    fn told(&self, kind: &str) -> Option<(String, String)> {
        let conditions = self.status().conditions;
        let found = conditions
            .into_iter()
            .find(|found| found.type_ == kind && found.status == "True");
        found.map(|found| (found.reason, found.message))
    }

    fn replicas(&self) -> Vec<i32> {
        let deployments = self.objects.iter().filter_map(|object| {
            let value = serde_json::to_value(object).ok()?;
            serde_json::from_value::<Deployment>(value)
                .ok()?
                .spec?
                .replicas
        });
        deployments.collect()
    }
}

fn mk_job(word: &str) -> PinterestStreamingJob {
    serde_json::from_value(json!({
        "metadata": {"name": "clicks", "namespace": "prod", "uid": "u"},
        "spec": {
            "flink": {
                "job": {"class": "Clicks", "args": [word]},
                "state": {"dir": "s3://state"},
                "parallelism": 1,
            },
            "template": {"spec": {"containers": [{"name": "flink", "image": "clicks:1"}]}},
        },
    }))
    .expect("a job")
}

fn mk_seen(job: Job) -> Observation {
    Observation {
        job: Some(job),
        ..Observation::default()
    }
}

fn mk_running(restored: Option<&str>) -> Job {
    Job {
        state: "RUNNING".to_owned(),
        runs: true,
        restored: restored.map(|path| RestoredStatus {
            path: Some(path.to_owned()),
            savepoint: true,
            ..RestoredStatus::default()
        }),
        ..Job::default()
    }
}

fn mk_state(state: &str) -> Job {
    Job {
        state: state.to_owned(),
        ..Job::default()
    }
}

fn mk_checkpoint(id: i64, path: &str) -> CheckpointStatus {
    CheckpointStatus {
        id,
        path: Some(path.to_owned()),
        ..CheckpointStatus::default()
    }
}

/// A running job whose savepoint is done.
fn mk_stopped(path: &str) -> Observation {
    Observation {
        stop: Some(Operation::Completed(path.to_owned())),
        ..mk_seen(mk_state("FINISHED"))
    }
}

#[test]
fn a_new_job_is_remembered_before_it_is_made_and_runs_once_it_is_steady() {
    let mut world = World::new();
    world.step();
    let memory = world.memory();
    assert_eq!((memory.stage, memory.attempt.number), (Stage::Starting, 1));
    assert_eq!(memory.attempt.job_id.len(), 32);
    assert_eq!(world.told("Reconciling").expect("told").0, "Starting");
    world.says(mk_seen(mk_running(None)));
    assert_eq!(world.stage(), Stage::Starting, "a moment is not steady");
    world.says(mk_seen(mk_state("RESTARTING")));
    world.passes(6);
    world.says(mk_seen(mk_running(None)));
    assert_eq!(
        world.stage(),
        Stage::Starting,
        "it begins anew after a restart"
    );
    world.passes(6);
    world.step();
    assert_eq!(world.stage(), Stage::Running);
    assert_eq!(world.told("Available").expect("told").0, "JobRunning");
    assert_eq!(
        world.memory().stable.expect("stable").revision,
        memory.attempt.version.revision
    );
    assert_eq!(world.again_after, Some(crate::flink::SLOWLY));
    assert_eq!(world.notes, ["Started"]);
}

#[test]
fn nothing_changes_while_nothing_changes() {
    let mut world = World::running();
    world.step();
    let before = world.status.clone();
    for _ in 0..3 {
        world.passes(60);
        world.step();
    }
    assert_eq!(world.status, before);
}

#[test]
fn an_upgrade_takes_a_savepoint_and_starts_the_new_version_from_it() {
    let mut world = World::running();
    let old = world.memory().attempt;
    assert_eq!(world.status().job.expect("a job").state, "RUNNING");
    world.job = mk_job("two");
    world.step();
    let stop = world.memory().stop.expect("a stop");
    assert_eq!(world.stage(), Stage::Stopping);
    assert_eq!(stop.savepointdir.as_deref(), Some("s3://state/savepoints"));
    assert_eq!(world.memory().attempt, old, "what runs stays as it is");
    world.passes(60);
    world.says(Observation {
        stop: Some(Operation::InProgress),
        ..mk_seen(mk_running(None))
    });
    assert_eq!(
        world.memory().stop,
        Some(stop),
        "the same request, however often"
    );
    world.says(mk_stopped(OLD));
    let memory = world.memory();
    assert_eq!((memory.stage, memory.attempt.number), (Stage::Starting, 2));
    assert_eq!(memory.attempt.from.as_deref(), Some(OLD));
    assert_eq!(memory.way_back.as_deref(), Some(OLD));
    assert_ne!(memory.attempt.job_id, old.job_id);
    assert_eq!(
        world.status().job,
        None,
        "nothing of the old job is told of the new one"
    );
    let kept = world.status().last_savepoint.expect("a savepoint");
    assert_eq!(
        (kept.path.as_str(), kept.taken_for.as_str()),
        (OLD, "upgrade")
    );
    world.runs(None);
    assert_eq!(
        world.stage(),
        Stage::Starting,
        "it must have restored its state"
    );
    world.runs(Some(OLD));
    assert_eq!(world.stage(), Stage::Running);
    assert_eq!(world.told("Stalled"), None);
    assert_eq!(
        world.status().revision,
        Some(memory.attempt.version.revision)
    );
}

/// An upgrade whose savepoint is taken.
fn mk_upgrading() -> World {
    let mut world = World::running();
    world.job = mk_job("bad");
    world.step();
    world.says(mk_stopped(OLD));
    world.notes.clear();
    world
}

#[test]
fn a_version_that_fails_goes_back_to_the_old_one_from_the_same_savepoint() {
    let failed = Job {
        failure: Some("ClassNotFoundException: Clicks".to_owned()),
        ..mk_state("FAILED")
    };
    let trouble = Observation {
        trouble: Some("the container flink of the pod p: ImagePullBackOff".to_owned()),
        ..Observation::default()
    };
    let away = Observation {
        unreachable: Some("no endpoints".to_owned()),
        ..Observation::default()
    };
    let cases = [
        (
            mk_seen(failed),
            0,
            "the job failed: ClassNotFoundException: Clicks",
        ),
        (trouble, 0, "ImagePullBackOff"),
        (
            away,
            301,
            "it did not run within 300 s: its job manager does not answer (no endpoints)",
        ),
        (
            mk_seen(mk_state("RESTARTING")),
            301,
            "its state is not restored (the job is RESTARTING)",
        ),
        (mk_seen(mk_running(None)), 301, "its state is not restored"),
    ];
    for (seen, seconds, words) in cases {
        let mut world = mk_upgrading();
        let stable = world.memory().stable.expect("stable").revision;
        world.passes(seconds);
        world.says(seen);
        let memory = world.memory();
        assert_eq!(
            (memory.stage, memory.attempt.number),
            (Stage::RollingBack, 3),
            "{words}"
        );
        assert_eq!(memory.attempt.version.revision, stable);
        assert_eq!(memory.attempt.from.as_deref(), Some(OLD));
        assert_eq!(world.told("Stalled"), None, "it is not at its end yet");
        assert!(
            world.told("Reconciling").expect("told").1.contains(words),
            "{:?}",
            world.status
        );
        world.runs(Some(OLD));
        assert_eq!(world.stage(), Stage::Running);
        let (reason, message) = world.told("Stalled").expect("stalled");
        assert_eq!(reason, "UpgradeFailed");
        assert!(
            message.contains(words) && message.contains(OLD),
            "{message}"
        );
        assert_eq!(world.notes, ["UpgradeFailed", "RolledBack"]);
        world.passes(600);
        world.step();
        assert_eq!(
            world.stage(),
            Stage::Running,
            "the same version is not tried again"
        );

        let mut fixed = world;
        fixed.job = mk_job("three");
        fixed.step();
        assert_eq!(fixed.stage(), Stage::Stopping, "another one is");
        assert_eq!(fixed.told("Stalled"), None);
    }
}

#[test]
fn writing_the_version_that_runs_again_ends_the_failure() {
    let mut world = mk_upgrading();
    world.says(mk_seen(mk_state("FAILED")));
    world.runs(Some(OLD));
    let number = world.memory().attempt.number;
    world.job = mk_job("one");
    world.step();
    assert_eq!(world.told("Stalled"), None);
    assert_eq!(
        (world.stage(), world.memory().attempt.number),
        (Stage::Running, number)
    );
}

#[test]
fn a_way_back_that_fails_too_is_said_and_still_waited_for() {
    let mut world = mk_upgrading();
    world.says(mk_seen(mk_state("FAILED")));
    world.says(mk_seen(mk_state("FAILED")));
    let (reason, message) = world.told("Stalled").expect("stalled");
    assert_eq!(reason, "RollbackFailed");
    assert!(
        message.contains("and that one does not start either"),
        "{message}"
    );
    let number = world.memory().attempt.number;
    world.step();
    assert_eq!(
        world.memory().attempt.number,
        number,
        "no start after the other"
    );
    assert_eq!(world.notes, ["UpgradeFailed", "RollbackFailed"]);
}

#[test]
fn a_first_version_that_fails_stays_to_be_looked_at() {
    let mut world = World::new();
    world.step();
    world.passes(301);
    world.says(Observation::default());
    let (reason, message) = world.told("Stalled").expect("stalled");
    assert_eq!(reason, "StartFailed");
    assert!(
        message.contains("its job manager has no job yet"),
        "{message}"
    );
    assert_eq!(world.memory().attempt.number, 1);
    world.runs(None);
    assert_eq!(world.told("Stalled"), None, "late is better than never");
}

#[test]
fn a_newer_version_takes_the_place_of_one_that_starts() {
    let mut world = mk_upgrading();
    world.job = mk_job("newer");
    world.step();
    let memory = world.memory();
    assert_eq!((memory.stage, memory.attempt.number), (Stage::Starting, 3));
    assert_eq!(
        memory.attempt.from.as_deref(),
        Some(OLD),
        "from the same savepoint"
    );
}

fn mk_failed_savepoint(job: Job) -> Observation {
    Observation {
        stop: Some(Operation::Failed("the disk is full".to_owned())),
        ..mk_seen(job)
    }
}

#[test]
fn a_savepoint_that_fails_is_tried_again_and_leaves_the_old_version_running_in_the_end() {
    let mut world = World::running();
    world.job = mk_job("two");
    world.step();
    let mut triggers = vec![world.memory().stop.expect("a stop").trigger];
    for _ in 0..2 {
        world.says(mk_failed_savepoint(mk_running(None)));
        assert_eq!(world.stage(), Stage::Stopping);
        assert_eq!(world.told("Stalled"), None, "it is not at its end yet");
        let stop = world.memory().stop.expect("a stop");
        assert_eq!(stop.savepointdir.as_deref(), Some("s3://state/savepoints"));
        assert!(!triggers.contains(&stop.trigger), "another request");
        triggers.push(stop.trigger);
    }
    world.says(mk_failed_savepoint(mk_running(None)));
    assert_eq!(
        (world.stage(), world.memory().attempt.number),
        (Stage::Running, 1)
    );
    let (reason, message) = world.told("Stalled").expect("stalled");
    assert_eq!(reason, "UpgradeFailed");
    assert!(message.contains("the disk is full") && message.contains("the old version runs on"));
    assert_eq!(
        world.notes,
        [
            "Stopping",
            "SavepointFailed",
            "SavepointFailed",
            "UpgradeFailed"
        ]
    );
}

#[test]
fn a_savepoint_that_failed_waits_for_the_job_to_run_again() {
    let mut world = World::running();
    world.job = mk_job("two");
    world.step();
    let trigger = world.memory().stop.expect("a stop").trigger;
    world.says(mk_failed_savepoint(mk_state("RESTARTING")));
    let stop = world.memory().stop.expect("a stop");
    assert_eq!((world.stage(), stop.trigger), (Stage::Stopping, trigger));
    world.says(mk_failed_savepoint(mk_running(None)));
    assert_eq!(world.memory().stop.expect("a stop").failures, 1);
    world.says(mk_stopped(OLD));
    assert_eq!(world.memory().attempt.from.as_deref(), Some(OLD));

    // One that does not run any more goes on from its newest checkpoint.
    let mut world = World::running();
    world.job = mk_job("two");
    world.step();
    world.passes(301);
    world.says(mk_failed_savepoint(mk_state("RESTARTING")));
    let stop = world.memory().stop.expect("a stop");
    assert_eq!((world.stage(), stop.savepointdir), (Stage::Stopping, None));
}

#[test]
fn a_job_that_cannot_run_is_replaced_from_its_newest_checkpoint() {
    let mut world = World::running();
    world.job = mk_job("fix");
    let hurt = Job {
        checkpoint: Some(mk_checkpoint(7, "s3://state/checkpoints/chk-7")),
        ..mk_state("RESTARTING")
    };
    world.says(mk_seen(hurt.clone()));
    assert_eq!(
        world.memory().stop.expect("a stop").savepointdir,
        None,
        "it is canceled"
    );
    world.says(mk_seen(Job {
        state: "CANCELED".to_owned(),
        ..hurt
    }));
    let from = world.memory().attempt.from;
    assert_eq!(from.as_deref(), Some("s3://state/checkpoints/chk-7"));
}

#[test]
fn the_newest_of_checkpoint_and_savepoint_counts() {
    let mut world = World::running();
    world.job = mk_job("fix");
    let hurt = Job {
        checkpoint: Some(mk_checkpoint(7, "s3://state/checkpoints/chk-7")),
        savepoint: Some(mk_checkpoint(9, "s3://state/savepoints/savepoint-9")),
        ..mk_state("FAILED")
    };
    world.says(mk_seen(hurt.clone()));
    world.says(mk_seen(hurt));
    let from = world.memory().attempt.from;
    assert_eq!(from.as_deref(), Some("s3://state/savepoints/savepoint-9"));
}

#[test]
fn a_job_manager_that_is_gone_is_replaced_from_what_is_known() {
    let mut world = World::running();
    world.says(mk_seen(Job {
        checkpoint: Some(mk_checkpoint(3, "s3://state/checkpoints/chk-3")),
        ..mk_running(None)
    }));
    world.job = mk_job("two");
    let away = Observation {
        unreachable: Some("no endpoints".to_owned()),
        ..Observation::default()
    };
    world.says(away.clone());
    assert_eq!(world.stage(), Stage::Stopping);
    assert_eq!(world.status().job.expect("a job").state, "UNREACHABLE");
    world.passes(299);
    world.step();
    assert_eq!(world.stage(), Stage::Stopping);
    world.passes(2);
    world.step();
    let from = world.memory().attempt.from;
    assert_eq!(from.as_deref(), Some("s3://state/checkpoints/chk-3"));
}

#[test]
fn a_savepoint_counts_though_the_job_manager_ends_before_it_says_so() {
    let mut world = World::running();
    world.job = mk_job("two");
    world.step();
    world.says(mk_seen(Job {
        savepoint: Some(mk_checkpoint(9, OLD)),
        ..mk_state("FINISHED")
    }));
    let memory = world.memory();
    assert_eq!(memory.stage, Stage::Starting);
    assert_eq!(memory.attempt.from.as_deref(), Some(OLD));
    let kept = world.status().last_savepoint.expect("a savepoint");
    assert_eq!(
        (kept.path.as_str(), kept.taken_for.as_str()),
        (OLD, "upgrade")
    );

    // The next upgrade is not content with the savepoint of this one.
    world.runs(Some(OLD));
    world.job = mk_job("three");
    world.step();
    world.says(mk_seen(Job {
        savepoint: Some(mk_checkpoint(9, OLD)),
        ..mk_state("FINISHED")
    }));
    assert_eq!(world.stage(), Stage::Stopping);
    assert_eq!(world.told("Stalled").expect("stalled").0, "SavepointLost");
}

#[test]
fn a_savepoint_whose_place_is_lost_is_never_replaced_by_older_state() {
    let mut world = World::running();
    world.job = mk_job("two");
    world.step();
    world.says(mk_seen(mk_state("FINISHED")));
    assert_eq!(world.stage(), Stage::Stopping);
    let (reason, message) = world.told("Stalled").expect("stalled");
    assert_eq!(reason, "SavepointLost");
    assert!(message.contains("s3://state/savepoints"), "{message}");
    let flink = world.job.spec.flink.as_mut().expect("a job");
    flink.initialsavepoint = Some("s3://state/savepoints/found".to_owned());
    world.step();
    let memory = world.memory();
    assert_eq!(memory.stage, Stage::Starting);
    assert_eq!(
        memory.attempt.from.as_deref(),
        Some("s3://state/savepoints/found")
    );
}

#[test]
fn the_modes_take_their_own_state() {
    for (mode, from) in [("laststate", Some("s3://chk-1")), ("stateless", None)] {
        let mut world = World::running();
        let mut value = serde_json::to_value(mk_job("two")).expect("plain data");
        value["spec"]["flink"]["upgrade"] = json!({"mode": mode});
        world.job = serde_json::from_value(value).expect("a job");
        world.step();
        assert_eq!(world.memory().stop.expect("a stop").savepointdir, None);
        world.says(mk_seen(Job {
            checkpoint: Some(mk_checkpoint(1, "s3://chk-1")),
            ..mk_state("CANCELED")
        }));
        let memory = world.memory();
        assert_eq!(memory.attempt.from.as_deref(), from, "{mode}");
        assert_eq!(
            memory.way_back.as_deref(),
            Some("s3://chk-1"),
            "the old one never loses its state"
        );
    }
}

#[test]
fn a_place_that_is_newly_named_is_started_from() {
    let mut world = World::running();
    let flink = world.job.spec.flink.as_mut().expect("a job");
    flink.initialsavepoint = Some("s3://elsewhere".to_owned());
    world.step();
    assert_eq!(world.memory().stop.expect("a stop").savepointdir, None);
    world.says(mk_seen(Job {
        checkpoint: Some(mk_checkpoint(1, "s3://chk-1")),
        ..mk_state("CANCELED")
    }));
    assert_eq!(
        world.memory().attempt.from.as_deref(),
        Some("s3://elsewhere")
    );
    world.runs(Some("s3://elsewhere"));
    world.step();
    assert_eq!(world.stage(), Stage::Running, "and once only");
}

#[test]
fn a_suspended_job_keeps_its_savepoint_and_goes_on_from_it() {
    let mut world = World::running();
    world.job.spec.suspend = true;
    world.step();
    assert_eq!(world.stage(), Stage::Stopping);
    assert_eq!(
        world.replicas(),
        [1, 1],
        "it needs its pods for the savepoint"
    );
    world.says(mk_stopped(OLD));
    assert_eq!(world.stage(), Stage::Suspended);
    assert_eq!(world.replicas(), [0, 0]);
    assert_eq!(world.again_after, None, "nobody to ask");
    assert_eq!(
        world
            .status()
            .last_savepoint
            .expect("a savepoint")
            .taken_for,
        "suspend"
    );
    assert_eq!(world.told("Reconciling"), None);
    world.seen = None;
    world.job.spec.suspend = false;
    world.step();
    let memory = world.memory();
    assert_eq!((memory.stage, memory.attempt.number), (Stage::Starting, 2));
    assert_eq!(memory.attempt.from.as_deref(), Some(OLD));
    assert_eq!(world.replicas(), [1, 1]);
}

#[test]
fn one_that_is_made_suspended_has_no_pods_yet() {
    let mut world = World::new();
    world.job.spec.suspend = true;
    world.step();
    assert_eq!(
        (world.stage(), world.replicas()),
        (Stage::Suspended, vec![0, 0])
    );
    world.job.spec.suspend = false;
    world.step();
    assert_eq!(
        (world.stage(), world.memory().attempt.number),
        (Stage::Starting, 1)
    );
}

#[test]
fn a_savepoint_is_taken_once_for_each_request() {
    let mut world = World::running();
    let annotations = world.job.metadata.annotations.get_or_insert_default();
    annotations.insert(SAVEPOINT_ANNOTATION.to_owned(), "now".to_owned());
    world.step();
    let request = world.memory().request.expect("a request");
    assert_eq!(request.savepointdir, "s3://state/savepoints");
    assert_eq!(world.again_after, Some(crate::flink::QUICKLY));
    world.says(Observation {
        request: Some(Operation::Completed(OLD.to_owned())),
        ..mk_seen(mk_running(None))
    });
    let kept: SavepointStatus = world.status().last_savepoint.expect("a savepoint");
    assert_eq!(
        (kept.path.as_str(), kept.taken_for.as_str()),
        (OLD, "request")
    );
    assert_eq!(
        (world.stage(), world.notes.as_slice()),
        (Stage::Running, &["SavepointTaken"][..])
    );
    world.says(mk_seen(mk_running(None)));
    assert_eq!(world.memory().request, None, "not again");
}

#[test]
fn more_pods_of_the_same_version_are_no_upgrade() {
    let mut world = World::running();
    world.job.spec.replicas = 3;
    world.step();
    assert_eq!(
        (world.stage(), world.replicas()),
        (Stage::Running, vec![1, 3])
    );
}

#[test]
fn a_job_that_fails_by_itself_says_what_to_do() {
    let mut world = World::running();
    world.says(mk_seen(Job {
        failure: Some("OutOfMemoryError".to_owned()),
        ..mk_state("FAILED")
    }));
    let (reason, message) = world.told("Stalled").expect("stalled");
    assert_eq!(reason, "JobFailed");
    assert!(
        message.contains("OutOfMemoryError") && message.contains("restartnonce"),
        "{message}"
    );
}

#[test]
fn a_refusal_is_told_and_what_is_remembered_stays() {
    let world = World::running();
    let resource = hermez_kinds::Resource::StreamingJob(Box::new(world.job.clone()));
    let (profile, owned) = (RuntimeProfile::plain(), Objects::new());
    let seen = Seen {
        resource: &resource,
        generation: Some(2),
        profile: &profile,
        owned: &owned,
        before: &world.status,
        now: world.now,
    };
    let refusal = Refusal {
        reason: "InvalidSpec",
        message: "no".to_owned(),
    };
    let after = status(&seen, &world.job, &Outside::default(), Some(&refusal));
    assert_eq!(after.memory, Some(world.memory()));
    let stalled = after
        .conditions
        .iter()
        .find(|found| found.type_ == "Stalled");
    assert_eq!(stalled.expect("stalled").reason, "InvalidSpec");
}
