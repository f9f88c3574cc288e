//! Starts and stops everything.
//!
//! Order: the data folder's lock and the port first (what a person can mend fails at once), then
//! database, key and owner; then the server answers, and all else joins when it can.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hermez_access::{Gate, SecretKey};
use hermez_artifact::Registry;
use hermez_build::BuildKit;
use hermez_cluster::Cluster;
use hermez_controller::rollout::decide::Limits;
use hermez_controller::{Offer, Settings};
use hermez_deploy::gates::prometheus::Prometheus;
use hermez_deploy::{Road, RoadConfig};
use hermez_source::Mirrors;
use hermez_store::Store;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::background::Background;
use crate::cluster_link::ClusterLink;
use crate::controllers::Controllers;
use crate::following::Following;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::refresh::Refresher;
use crate::state::{AppState, Shared};
use crate::{ServerConfig, catch_up, controllers, gateway, lock, profile_file, routes, serve};

/// Pushes that are followed or wait at the same time.
const PUSHES: usize = 1_000;
/// Edits that were put back and wait for the record.
const DRIFTS: usize = 256;
/// How long background work may take to come to a safe point.
const SETTLE: Duration = Duration::from_secs(10);
const HOUSEKEEPING: Duration = Duration::from_hours(1);

/// Runs the server until `shutdown` is canceled, then lets open requests end and returns. Work in
/// progress (builds, deploys) is left as it is and goes on at the next start.
///
/// # Errors
/// What a person must mend: the data folder, the port, the database, the key or the profile cannot
/// be used. A cluster, registry, BuildKit or forge that is down is no error.
pub async fn run(config: ServerConfig, shutdown: CancellationToken) -> anyhow::Result<()> {
    let _lock = lock::take(&config.data_dir)?;
    let offer = profile_file::read(config.profile.as_deref())?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let previews = match config.preview_listen {
        Some(listen) => Some(listen_for_previews(&config, listen).await?),
        None => None,
    };
    let preview_url = previews.as_ref().map(|(_, url)| url.clone());
    let tasks = Background::default();
    // Ends with `run`, however it ends: no task is left behind by an error.
    let ending = shutdown.child_token();
    let _end = ending.clone().drop_guard();

    let state = build_state(&config, (address, preview_url), offer, &tasks, &ending).await?;
    start_work(&state, &tasks);
    if let Some((listener, url)) = previews {
        tracing::info!(%url, "the preview gateway answers");
        let gateway = gateway::serve(listener, url, state.clone(), ending.clone());
        tasks.spawn("previews", gateway);
    }
    tracing::info!(%address, public_url = %state.public_url, "Hermez answers");
    serve::serve(listener, routes::app(state), &ending).await;

    ending.cancel();
    if let Err(left) = tasks.ended(SETTLE).await {
        tracing::warn!(
            ?left,
            "this did not come to a safe point in time; it goes on at the next start"
        );
    }
    Ok(())
}

async fn build_state(
    config: &ServerConfig,
    (address, preview_url): (SocketAddr, Option<Url>),
    offer: Offer,
    tasks: &Background,
    shutdown: &CancellationToken,
) -> anyhow::Result<AppState> {
    let database_url = if let Some(url) = &config.database_url {
        url.clone()
    } else {
        // SQLite gives the files that it makes beside this one the same mode.
        let path = config.data_dir.join("hermez.db");
        drop(lock::private_file(&path)?);
        format!("sqlite://{}", path.display())
    };
    let store = Store::open(&database_url)
        .await
        .context("cannot open the database")?
        .of_replica(&lock::replica(&config.data_dir)?);
    let lost = store.forget_lost_requests().await?;
    if lost > 0 {
        tracing::info!(
            lost,
            "requests that the server before had not done may be made again"
        );
    }
    let key = SecretKey::load_or_create(&config.data_dir.join("secret.key"))?;
    let gate = Gate::new(store.clone(), key);
    let token_file = config
        .bootstrap_token_file
        .clone()
        .unwrap_or_else(|| config.data_dir.join("owner-token"));
    if gate.bootstrap(&token_file).await?.token_written {
        tracing::info!(file = %token_file.display(), "wrote a token of the owner");
    }

    let metrics = Metrics::new();
    let (cluster, others) = join_clusters(config, offer, &gate, &metrics, tasks, shutdown)?;
    let mirrors = Mirrors::new(
        config.data_dir.join("mirrors"),
        config.limits.source.clone(),
    );
    let public_url = config
        .public_url
        .clone()
        .unwrap_or_else(|| local_url(address));
    let road = Road::new(RoadConfig {
        store: store.clone(),
        gate: gate.clone(),
        mirrors: mirrors.clone(),
        forges: config.forges.clone(),
        buildkit: BuildKit {
            buildctl: config.buildctl.clone(),
            address: config.buildkit_address.clone(),
            registry: config.registry.clone(),
            registry_insecure: config.registry_insecure,
        },
        registry: Registry::new(&config.registry, config.registry_insecure, None),
        cluster: cluster.receiver(),
        cluster_name: config.cluster_name.clone(),
        clusters: others,
        work_dir: config.data_dir.join("builds"),
        public_url: public_url.clone(),
        prometheus: config
            .prometheus_url
            .clone()
            .map(Prometheus::new)
            .transpose()
            .map_err(anyhow::Error::msg)?,
        preview_url: preview_url.clone(),
        build_concurrency: config.build_concurrency.clamp(1, 64),
    });
    let live = Live::start(store.clone(), cluster.clone(), shutdown.clone());
    Ok(AppState::new(Shared {
        store,
        gate,
        mirrors,
        road,
        cluster,
        refresher: Refresher::default(),
        live,
        public_url,
        preview_url,
        own_namespace: config.own_namespace.clone(),
        limits: config.limits.clone(),
        metrics,
        stream_places: Arc::new(Semaphore::new(config.limits.streams)),
        push_places: Arc::new(Semaphore::new(PUSHES)),
        following: Following::default(),
        shutdown: shutdown.clone(),
    }))
}

/// Further clusters, by name.
type Others = BTreeMap<String, watch::Receiver<Option<Cluster>>>;

/// Connects to the clusters in the background, and runs the controllers in each.
fn join_clusters(
    config: &ServerConfig,
    offer: Offer,
    gate: &Gate,
    metrics: &Metrics,
    tasks: &Background,
    shutdown: &CancellationToken,
) -> anyhow::Result<(ClusterLink, Others)> {
    let figures = metrics.register(hermez_controller::Metrics::register);
    let (to_offers, offers) = watch::channel(offer);
    if let Some(file) = config.profile.clone() {
        let follow = profile_file::follow(file, to_offers, shutdown.clone());
        tasks.spawn("profile", follow);
    }
    let (to_drifts, drifts) = mpsc::channel(DRIFTS);
    let record = controllers::record_drift(gate.clone(), drifts, shutdown.clone());
    tasks.spawn("drift", record);
    let settings = Settings {
        namespace: config.own_namespace.clone(),
        identity: Some(hermez_controller::identity()?),
        class: None,
        limits: Limits {
            percent: config.profile_wave_percent,
            patience: SignedDuration::from_secs(i64::from(config.profile_patience_seconds)),
        },
        drift: Some(to_drifts),
    };
    let joined = |kubeconfig: Option<PathBuf>, gauge: Option<Gauge>| {
        let (tasks, ending) = (tasks.clone(), shutdown.clone());
        let (offers, settings, metrics) = (offers.clone(), settings.clone(), figures.clone());
        ClusterLink::connect(kubeconfig, shutdown.clone(), move |cluster| {
            if let Some(gauge) = gauge {
                let show = show_contact(cluster.connected(), gauge, ending.clone());
                tasks.spawn("contact", show);
            }
            let controllers = Controllers {
                cluster: cluster.clone(),
                offers,
                settings,
                metrics,
            };
            tasks.spawn("controllers", controllers.keep_running(ending));
        })
    };
    let gauge = metrics.cluster_connected.clone();
    let own = joined(config.kubeconfig.clone(), Some(gauge));
    let others = config.clusters.iter().map(|(name, kubeconfig)| {
        let link = joined(Some(kubeconfig.clone()), None);
        (name.clone(), link.receiver())
    });
    Ok((own, others.collect()))
}

/// Keeps the gauge at whether the cluster answers.
async fn show_contact(
    mut contact: watch::Receiver<bool>,
    gauge: Gauge,
    shutdown: CancellationToken,
) {
    loop {
        gauge.set(i64::from(*contact.borrow_and_update()));
        tokio::select! {
            changed = contact.changed() => if changed.is_err() { return },
            () = shutdown.cancelled() => return,
        }
    }
}

fn start_work(state: &AppState, tasks: &Background) {
    let (road, shutdown) = (state.road.clone(), state.shutdown.clone());
    tasks.spawn("road", async move { road.run(shutdown).await });
    tasks.spawn("catch-up", catch_up::catch_up(state.clone()));
    tasks.spawn("housekeeping", keep_house(state.clone()));
}

/// Takes the preview gateway's port, and says below which URL previews are found.
async fn listen_for_previews(
    config: &ServerConfig,
    listen: SocketAddr,
) -> anyhow::Result<(TcpListener, Url)> {
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} for previews"))?;
    let port = listener.local_addr()?.port();
    let url = match &config.preview_url {
        Some(url) => url.clone(),
        None => Url::parse(&format!("http://preview.localhost:{port}/"))?,
    };
    let named = matches!(url.host(), Some(url::Host::Domain(_)));
    anyhow::ensure!(
        named && matches!(url.scheme(), "http" | "https"),
        "--preview-url must name a host below which each preview has its own, such as https://preview.example.com"
    );
    Ok((listener, url))
}

/// Deletes what has expired.
async fn keep_house(state: AppState) {
    let mut timer = tokio::time::interval(HOUSEKEEPING);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = state.shutdown.cancelled() => return,
        }
        match state.store.delete_expired(Timestamp::now()).await {
            Ok(count) if count > 0 => tracing::debug!(count, "deleted what has expired"),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot delete what has expired"),
        }
    }
}

/// The address as people on this machine reach it.
fn local_url(address: SocketAddr) -> Url {
    let host = if address.ip().is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        address.ip()
    };
    let text = format!("http://{}/", SocketAddr::new(host, address.port()));
    Url::parse(&text).expect("an address and a port make a URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_url_can_be_opened() {
        let url = |address: &str| local_url(address.parse().unwrap()).to_string();
        assert_eq!(url("127.0.0.1:7070"), "http://127.0.0.1:7070/");
        assert_eq!(url("0.0.0.0:7070"), "http://127.0.0.1:7070/");
        assert_eq!(url("[::1]:7070"), "http://[::1]:7070/");
    }
}
