//! A Flink job from its first start to its end.

use hermez_kinds::PinterestStreamingJob;
use hermez_kinds::names::SAVEPOINT_ANNOTATION;
use hermez_kinds::streamingjob::Stage;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::support::{Sandbox, within};
use crate::world::{
    NAME, State, apply, condition, counted, flink, flinks_own, runs, spec, status_of, until,
};

/// Held by the test that runs a job: four virtual machines of Java at once are too many for a small
/// machine.
static MACHINE: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn a_job_keeps_its_state_through_upgrades_failures_and_pauses() {
    let _alone = MACHINE.lock().await;
    within(async |sandbox| {
        let state = State::of(&sandbox);
        Box::pin(starts(&sandbox, &state)).await;
        let counted = Box::pin(upgrades(&sandbox, &state)).await;
        let counted = Box::pin(goes_back(&sandbox, &state, counted)).await;
        Box::pin(takes_a_savepoint_on_request(&sandbox)).await;
        Box::pin(pauses(&sandbox, &state, counted)).await;
        Box::pin(leaves_nothing(&sandbox)).await;
    })
    .await;
}

async fn starts(sandbox: &Sandbox, state: &State) {
    apply(sandbox, &spec(state, "one")).await.expect("applied");
    let job = runs(sandbox).await;
    let status = status_of(&job);
    let told = status.job.expect("a job");
    assert_eq!((told.state.as_str(), told.parallelism), ("RUNNING", 1));
    assert_eq!(told.name, "Counting");
    assert_eq!(told.lag, "not reported", "a sequence has no lag");
    assert!(told.start_time.is_some());
    assert_eq!(
        (status.desired_pods, status.ready_pods, status.replicas),
        (2, 2, 1)
    );
    assert_eq!(status.restored, None, "nothing to restore from");
    let pods = sandbox
        .api::<Pod>()
        .list(&ListParams::default())
        .await
        .expect("pods");
    assert_eq!(pods.items.len(), 2);
    for pod in &pods.items {
        assert_eq!(
            pod.labels().get("pinterest.com/revision"),
            status.revision.as_ref()
        );
    }
    let job = until(sandbox, "with a checkpoint", |job| {
        status_of(job)
            .last_checkpoint
            .is_some_and(|checkpoint| checkpoint.path.is_some())
    })
    .await;
    let checkpoint = status_of(&job).last_checkpoint.expect("a checkpoint");
    assert!(
        checkpoint
            .path
            .expect("a path")
            .starts_with("file:/state/checkpoints/")
    );
    assert!(checkpoint.size_bytes > 0 && checkpoint.time.is_some());
}

async fn upgrades(sandbox: &Sandbox, state: &State) -> i64 {
    let before = counted(sandbox).await;
    let job = Box::pin(upgrade(sandbox, &spec(state, "two"))).await;
    let after = counted(sandbox).await;
    assert!(
        after >= before,
        "{before} were counted before the upgrade and {after} after it"
    );
    assert_eq!(status_of(&job).observed_generation, job.metadata.generation);
    println!("upgrade: {before} counted before, {after} after");
    after
}

/// Brings another version out, which must start from a savepoint of the one that runs.
async fn upgrade(sandbox: &Sandbox, version: &Value) -> PinterestStreamingJob {
    let old = status_of(&runs(sandbox).await);
    apply(sandbox, version).await.expect("applied");
    let job = until(sandbox, "upgraded", |job| {
        let status = status_of(job);
        status.stage == Some(Stage::Running) && status.revision != old.revision
    })
    .await;
    let status = status_of(&job);
    let Some(savepoint) = &status.last_savepoint else {
        panic!("no savepoint: {status:#?}")
    };
    assert_eq!(savepoint.taken_for, "upgrade");
    let restored = status.restored.clone().expect("restored");
    assert!(restored.savepoint, "{restored:?}");
    assert_eq!(restored.path.as_ref(), Some(&savepoint.path));
    // And so says Flink itself.
    let id = &status.job.as_ref().expect("a job").id;
    let said = flink(sandbox, &format!("/jobs/{id}/checkpoints"))
        .await
        .expect("an answer");
    assert_eq!(
        said["latest"]["restored"]["external_path"],
        savepoint.path.as_str()
    );
    runs(sandbox).await
}

#[tokio::test]
async fn flinks_own_example_keeps_its_state_through_an_upgrade() {
    let _alone = MACHINE.lock().await;
    within(async |sandbox| {
        let state = State::of(&sandbox);
        let first = flinks_own(&state, "0.01");
        apply(&sandbox, &first).await.expect("applied");
        let job = runs(&sandbox).await;
        let told = status_of(&job).job.expect("a job");
        assert_eq!(
            (told.name.as_str(), told.state.as_str()),
            ("State machine job", "RUNNING")
        );
        // Some addresses have a state by now.
        until(&sandbox, "with a checkpoint", |job| {
            status_of(job)
                .last_checkpoint
                .is_some_and(|checkpoint| checkpoint.size_bytes > 0)
        })
        .await;
        let job = Box::pin(upgrade(&sandbox, &flinks_own(&state, "0.02"))).await;
        let told = status_of(&job).job.expect("a job");
        assert_eq!(told.state, "RUNNING");

        // Without a savepoint: the job is canceled, and goes on from its newest checkpoint.
        let savepoint = status_of(&job).last_savepoint;
        let mut third = flinks_own(&state, "0.03");
        third["flink"]["upgrade"]["mode"] = json!("laststate");
        apply(&sandbox, &third).await.expect("applied");
        let old = status_of(&job).revision;
        let job = until(&sandbox, "upgraded from a checkpoint", |job| {
            let status = status_of(job);
            status.stage == Some(Stage::Running) && status.revision != old
        })
        .await;
        let status = status_of(&job);
        assert_eq!(status.last_savepoint, savepoint, "none was taken");
        let restored = status.restored.expect("restored");
        assert!(!restored.savepoint, "{restored:?}");
        let path = restored.path.expect("a path");
        assert!(path.starts_with("file:/state/checkpoints/"), "{path}");
    })
    .await;
}

async fn goes_back(sandbox: &Sandbox, state: &State, before: i64) -> i64 {
    let good = status_of(&runs(sandbox).await);
    let mut bad = spec(state, "three");
    bad["flink"]["job"]["class"] = json!("NoSuchClass");
    apply(sandbox, &bad).await.expect("applied");
    let job = until(sandbox, "stalled", |job| {
        condition(job, "Stalled").is_some()
    })
    .await;
    let (_, reason, message) = condition(&job, "Stalled").expect("stalled");
    assert_eq!(reason, "UpgradeFailed", "{message}");
    assert!(
        message.contains("NoSuchClass") && message.contains("returned to the version"),
        "{message}"
    );
    let status = status_of(&job);
    assert_eq!(status.observed_generation, job.metadata.generation);
    assert_eq!(status.revision, good.revision, "the old version runs again");
    let savepoint = status.last_savepoint.expect("a savepoint").path;
    assert_ne!(
        Some(&savepoint),
        good.last_savepoint.map(|savepoint| savepoint.path).as_ref()
    );
    assert_eq!(
        status.restored.and_then(|restored| restored.path),
        Some(savepoint.clone())
    );
    assert_eq!(
        condition(&job, "Available").map(|told| told.0).as_deref(),
        Some("True")
    );
    let after = counted(sandbox).await;
    assert!(
        after >= before,
        "{before} were counted before the bad version and {after} after it"
    );
    println!("rollback: {before} counted before, {after} after");
    let events = sandbox
        .api::<Event>()
        .list(&ListParams::default())
        .await
        .expect("events");
    let told = events.items.iter().any(|event| {
        event.reason.as_deref() == Some("UpgradeFailed")
            && event.type_.as_deref() == Some("Warning")
    });
    assert!(
        told,
        "{:?}",
        events
            .items
            .iter()
            .map(|event| &event.reason)
            .collect::<Vec<_>>()
    );

    // The spec that runs is written again: nothing is left to do, and nothing is started anew.
    let number = status.memory.map(|memory| memory.attempt.number);
    apply(sandbox, &spec(state, "two")).await.expect("applied");
    let job = runs(sandbox).await;
    assert_eq!(
        status_of(&job).memory.map(|memory| memory.attempt.number),
        number
    );
    after
}

async fn takes_a_savepoint_on_request(sandbox: &Sandbox) {
    let before = status_of(&runs(sandbox).await);
    let ask = json!({"metadata": {"annotations": {SAVEPOINT_ANNOTATION: "now"}}});
    sandbox.edit::<PinterestStreamingJob>(NAME, ask).await;
    let job = until(sandbox, "with the savepoint", |job| {
        status_of(job)
            .last_savepoint
            .is_some_and(|savepoint| savepoint.taken_for == "request")
    })
    .await;
    let number = |status: hermez_kinds::streamingjob::PinterestStreamingJobStatus| {
        status.memory.map(|memory| memory.attempt.number)
    };
    assert_eq!(number(status_of(&job)), number(before), "the job runs on");
}

async fn pauses(sandbox: &Sandbox, state: &State, before: i64) {
    let mut paused = spec(state, "two");
    paused["suspend"] = json!(true);
    apply(sandbox, &paused).await.expect("applied");
    let job = until(sandbox, "suspended", |job| {
        let status = status_of(job);
        status.stage == Some(Stage::Suspended)
            && (status.desired_pods, status.ready_pods, status.replicas) == (0, 0, 0)
            && condition(job, "Reconciling").is_none()
    })
    .await;
    let savepoint = status_of(&job).last_savepoint.expect("a savepoint");
    assert_eq!(savepoint.taken_for, "suspend");
    apply(sandbox, &spec(state, "two")).await.expect("applied");
    let job = runs(sandbox).await;
    let restored = status_of(&job).restored.expect("restored");
    assert_eq!(restored.path, Some(savepoint.path));
    let after = counted(sandbox).await;
    assert!(
        after >= before,
        "{before} were counted before the pause and {after} after it"
    );
    println!("pause: {before} counted before, {after} after");
}

/// Nothing is left, not even what Flink made by itself.
async fn leaves_nothing(sandbox: &Sandbox) {
    let maps = ListParams::default().labels("configmap-type=high-availability");
    let made = sandbox
        .api::<ConfigMap>()
        .list(&maps)
        .await
        .expect("ConfigMaps");
    assert!(!made.items.is_empty(), "high availability is on");
    let newest = made
        .items
        .iter()
        .filter_map(|map| map.labels().get("app"))
        .max()
        .cloned();
    for map in &made.items {
        assert_eq!(
            map.labels().get("app"),
            newest.as_ref(),
            "of earlier starts nothing is left"
        );
        assert_eq!(map.owner_references().len(), 1, "{:?}", map.metadata);
    }
    let api = sandbox.api::<PinterestStreamingJob>();
    api.delete(NAME, &DeleteParams::background())
        .await
        .expect("deleted");
    sandbox.gone::<PinterestStreamingJob>(NAME).await;
    for role in ["jobmanager", "taskmanager"] {
        sandbox.gone::<Deployment>(&format!("{NAME}-{role}")).await;
    }
    let name = format!("{NAME}-flink");
    sandbox.gone::<ConfigMap>(&name).await;
    sandbox.gone::<Role>(&name).await;
    sandbox.gone::<RoleBinding>(&name).await;
    sandbox.gone::<ServiceAccount>(&name).await;
    sandbox.gone::<Service>(&format!("{NAME}-jobmanager")).await;
    let pods = sandbox
        .api::<Pod>()
        .list(&ListParams::default())
        .await
        .expect("pods");
    for pod in pods {
        sandbox.gone::<Pod>(&pod.name_any()).await;
    }
    for map in made {
        sandbox.gone::<ConfigMap>(&map.name_any()).await;
    }
    let left = sandbox
        .api::<ConfigMap>()
        .list(&maps)
        .await
        .expect("ConfigMaps")
        .items;
    assert!(
        left.is_empty(),
        "{:?}",
        left.iter().map(ResourceExt::name_any).collect::<Vec<_>>()
    );
}
