//! Servers that die, and surroundings that are down: a real database, no forge, no registry, no
//! cluster. A server here is a runtime of its own with a database handle of its own; killing it
//! drops everything at once, wherever it was, and gives no lease back.
#![allow(missing_docs)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hermez_access::{Gate, SecretKey};
use hermez_api::{ArtifactImage, BuildState, Category, DeployState};
use hermez_artifact::Registry;
use hermez_build::BuildKit;
use hermez_deploy::{Road, RoadConfig};
use hermez_source::{Limits, Mirrors};
use hermez_store::{
    BuildOutcome, DeployRecord, NewBuild, NewDeploy, NewRepository, NewWorkload, Store,
    WorkloadRecord,
};
use jiff::Timestamp;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest wait for a condition. Far below the leases' 30 s: taking over must not wait for them.
const PATIENCE: Duration = Duration::from_secs(20);
/// Nothing listens on this port.
const NOWHERE: &str = "127.0.0.1:1";

/// A server that does nothing but build and deploy.
struct Server {
    runtime: Runtime,
    work: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Server {
    fn start(data_dir: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (data_dir, shutdown) = (data_dir.to_owned(), CancellationToken::new());
        let ending = shutdown.clone();
        let work = runtime.spawn(async move {
            let store = open(&data_dir).await;
            let key = SecretKey::load_or_create(&data_dir.join("key")).unwrap();
            let (_no_cluster, cluster) = watch::channel(None);
            let road = Road::new(RoadConfig {
                gate: Gate::new(store.clone(), key),
                store,
                mirrors: Mirrors::new(data_dir.join("mirrors"), Limits::default()),
                forges: Vec::new(),
                buildkit: BuildKit {
                    buildctl: PathBuf::from("/nonexistent/buildctl"),
                    address: "unix:///nonexistent/buildkit.sock".to_owned(),
                    registry: NOWHERE.to_owned(),
                    registry_insecure: true,
                },
                registry: Registry::new(NOWHERE, true, None),
                cluster,
                cluster_name: "local".to_owned(),
                clusters: std::collections::BTreeMap::new(),
                work_dir: data_dir.join("builds"),
                public_url: "http://127.0.0.1/".parse().unwrap(),
                prometheus: None,
                preview_url: None,
                build_concurrency: 2,
            });
            road.run(ending).await;
        });
        Self {
            runtime,
            work,
            shutdown,
        }
    }

    /// As SIGKILL would: no lease is given back, nothing is finished.
    fn kill(self) {
        self.runtime.shutdown_background();
    }

    /// As SIGTERM would: it comes to a safe point first.
    async fn stop(self) {
        self.shutdown.cancel();
        let stopped = tokio::time::timeout(PATIENCE, self.work).await;
        self.runtime.shutdown_background();
        stopped
            .expect("it stops in time")
            .expect("it stops cleanly");
    }
}

async fn open(data_dir: &Path) -> Store {
    let url = format!("sqlite://{}", data_dir.join("hermez.db").display());
    Store::open(&url).await.unwrap()
}

async fn mk_workload(store: &Store) -> WorkloadRecord {
    let new = NewRepository {
        identity: format!("http://{NOWHERE}/team/app"),
        url: format!("http://{NOWHERE}/team/app"),
        sealed_credential: None,
        default_branch: Some("main".to_owned()),
    };
    let repository = store
        .upsert_repository(&new, Timestamp::now())
        .await
        .unwrap();
    let new = NewWorkload {
        name: "hello".to_owned(),
        kind: "PinterestService".to_owned(),
        category: Category::Production,
        project: "demo".to_owned(),
        namespace: "default".to_owned(),
        repository_id: repository.id,
        config_path: "service.yaml".to_owned(),
        created_by: "ada".to_owned(),
    };
    store.create_workload(&new, Timestamp::now()).await.unwrap()
}

fn mk_commit(n: u8) -> String {
    format!("{n:02x}").repeat(20)
}

async fn ask(store: &Store, workload: &WorkloadRecord, n: u8) -> i64 {
    let new = NewDeploy {
        workload_id: workload.id,
        instance: workload.name.clone(),
        commit: mk_commit(n),
        title: "title".to_owned(),
        author: "ada".to_owned(),
        requested_by: "ada".to_owned(),
        reason: None,
        kind: hermez_api::DeployKind::Regular,
        of: None,
        override_reason: None,
    };
    store
        .request_deploy(&new, Timestamp::now())
        .await
        .unwrap()
        .id
}

/// A commit that was built already.
async fn mk_artifact(store: &Store, workload: &WorkloadRecord, n: u8) {
    let new = NewBuild {
        workload_id: workload.id,
        commit: mk_commit(n),
        title: "title".to_owned(),
        requested_by: "push".to_owned(),
        retry: false,
    };
    let now = Timestamp::now();
    store.request_build(&new, now).await.unwrap();
    let (lease, _) = store
        .acquire_build("test", now, 60_000)
        .await
        .unwrap()
        .unwrap();
    let outcome = BuildOutcome::Succeeded {
        manifest: format!("{NOWHERE}/hermez/hello@sha256:{}", "0".repeat(64)),
        images: vec![ArtifactImage {
            name: "hello".to_owned(),
            reference: format!("{NOWHERE}/hermez/hello/hello@sha256:{}", "1".repeat(64)),
            built: true,
        }],
        committed_at: now,
    };
    store.finish_build(lease, outcome, now).await.unwrap();
}

/// The deploy, once `found` says so.
async fn until(store: &Store, id: i64, found: impl Fn(&DeployRecord) -> bool) -> DeployRecord {
    let begin = Instant::now();
    loop {
        let deploy = store.deploy(id).await.unwrap().unwrap();
        if found(&deploy) {
            return deploy;
        }
        assert!(begin.elapsed() < PATIENCE, "still: {deploy:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn states(store: &Store, id: i64) -> Vec<DeployState> {
    let events = store.deploy_events(id, 0).await.unwrap();
    let mut states: Vec<_> = events.into_iter().map(|event| event.state).collect();
    states.dedup();
    states
}

fn in_state(state: DeployState) -> impl Fn(&DeployRecord) -> bool {
    move |deploy| deploy.state == state
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_says_what_its_build_waits_for_and_outlives_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let workload = mk_workload(&store).await;
    let id = ask(&store, &workload, 1).await;

    let first = Server::start(folder.path());
    let waits = until(&store, id, |deploy| {
        deploy.message.contains("cannot be reached")
    })
    .await;
    assert_eq!(waits.state, DeployState::Building);
    first.kill();

    let second = Server::start(folder.path());
    store
        .cancel_deploy(id, "ada", Timestamp::now())
        .await
        .unwrap();
    // The second server hears of it by looking, as it was asked for through another handle.
    until(&store, id, in_state(DeployState::Canceled)).await;
    second.stop().await;
    let wanted = [
        DeployState::Pending,
        DeployState::Building,
        DeployState::Canceled,
    ];
    assert_eq!(states(&store, id).await, wanted);
    let builds = store
        .builds_of_commits(workload.id, &[mk_commit(1)])
        .await
        .unwrap();
    assert_eq!(builds.len(), 1, "one build, however many servers");
    assert_ne!(
        builds[0].state,
        BuildState::Failed,
        "what is down is waited for"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_waits_for_the_cluster_outlives_servers_killed_at_any_point() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let workload = mk_workload(&store).await;
    mk_artifact(&store, &workload, 1).await;
    let id = ask(&store, &workload, 1).await;
    let holder = Server::start(folder.path());
    let waits = until(&store, id, |deploy| {
        deploy.message.contains("waits for the cluster")
    })
    .await;
    assert_eq!(
        (waits.state, waits.failure_cause),
        (DeployState::Applying, None)
    );
    holder.kill();
    // These die somewhere between their first instruction and taking the deploy over.
    for _ in 0..3 {
        Server::start(folder.path()).kill();
    }
    // This one must take it over long before the first one's lease ends (30 s).
    let last = Server::start(folder.path());
    store
        .cancel_deploy(id, "ada", Timestamp::now())
        .await
        .unwrap();
    until(&store, id, in_state(DeployState::Canceled)).await;
    last.stop().await;
    let wanted = [
        DeployState::Pending,
        DeployState::Applying,
        DeployState::Canceled,
    ];
    assert_eq!(states(&store, id).await, wanted, "each state once");
    let builds = store
        .builds_of_commits(workload.id, &[mk_commit(1)])
        .await
        .unwrap();
    assert_eq!(
        builds[0].attempt, 1,
        "a commit with an artifact is not built again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_deploy_takes_the_place_of_what_waits_and_never_of_what_is_half_way() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let workload = mk_workload(&store).await;
    for n in 1..=3 {
        mk_artifact(&store, &workload, n).await;
    }
    let server = Server::start(folder.path());
    let first = ask(&store, &workload, 1).await;
    until(&store, first, in_state(DeployState::Applying)).await;
    let second = ask(&store, &workload, 2).await;
    let waits = format!("waits for deploy {first}");
    until(&store, second, |deploy| deploy.message.contains(&waits)).await;
    let third = ask(&store, &workload, 3).await;
    until(&store, second, in_state(DeployState::Superseded)).await;
    let half_way = store.deploy(first).await.unwrap().unwrap();
    assert_eq!(half_way.state, DeployState::Applying);

    store
        .cancel_deploy(first, "ada", Timestamp::now())
        .await
        .unwrap();
    until(&store, third, in_state(DeployState::Applying)).await;
    let ended = store.deploy(first).await.unwrap().unwrap();
    assert_eq!(ended.state, DeployState::Canceled);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_gives_its_leases_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let workload = mk_workload(&store).await;
    mk_artifact(&store, &workload, 1).await;
    let id = ask(&store, &workload, 1).await;
    let server = Server::start(folder.path());
    until(&store, id, |deploy| {
        deploy.message.contains("waits for the cluster")
    })
    .await;
    let now = Timestamp::now();
    assert!(
        store.open_deploys(0, now, 10).await.unwrap().is_empty(),
        "the server holds it"
    );
    server.stop().await;
    assert_eq!(store.open_deploys(0, now, 10).await.unwrap(), [id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_deploy_has_one_receipt_although_everything_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let workload = mk_workload(&store).await;
    let id = ask(&store, &workload, 1).await;
    let first = Server::start(folder.path());
    let waits = until(&store, id, |deploy| deploy.build_id.is_some()).await;
    let build = waits.build_id.unwrap();
    first.kill();
    store.cancel_build(build, Timestamp::now()).await.unwrap();
    // These die somewhere on the way, perhaps while they gather.
    for _ in 0..3 {
        Server::start(folder.path()).kill();
    }
    let last = Server::start(folder.path());
    let failed = until(&store, id, in_state(DeployState::Failed)).await;
    let receipt = store.receipt(id).await.unwrap().expect("with the state");
    last.stop().await;
    let found = receipt.evidence;
    assert_eq!(found.cause, "build");
    assert_eq!(found.sentence, failed.message);
    assert!(
        found.next_step.contains("hermez build start"),
        "{}",
        found.next_step
    );
    assert!(
        found.took_ms <= 6_000,
        "gathering is bounded: {} ms",
        found.took_ms
    );
    assert!(
        found
            .missing
            .iter()
            .any(|it| it.contains("nothing to compare with")),
        "{:?}",
        found.missing
    );
    assert_eq!((found.rollback, receipt.is_current), (None, false));
    let events = store.deploy_events(id, 0).await.unwrap();
    let failures = events
        .iter()
        .filter(|event| event.state == DeployState::Failed);
    assert_eq!(failures.count(), 1);
}
