//! The crash matrix: for every state and every side effect, the server is killed just before and just
//! after, started again, and the end and the number of effects are compared with an undisturbed run.
//!
//! The server stands behind proxies to everything that it changes: its database, the API server, the
//! registry and the forge. Each play is run undisturbed first, and what passes is noted: every
//! transaction, every write. Those are the points; nobody has to think of them.

mod behind;
pub mod database;
pub mod effects;
pub mod forged;
mod further;
pub mod lane;
mod playing;
pub mod plays;
pub mod tap;
pub mod wires;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use self::behind::Behind;
use self::lane::Lane;
use self::plays::Play;
use self::tap::{Point, Side, Tap};
use crate::forge::Clone;
use crate::played::Played;
use crate::sandbox::{Sandbox, unique};
use crate::second::Second;
use crate::server::{Server, free_port};

/// Names of the plays to run, with commas between them; all without it.
const ONLY: &str = "HERMEZ_PLAYS";

/// How often a point is waited for that does not come by.
const TRIES: usize = 3;

/// Name of the controllers' lease.
const LEASE: &str = "hermez-controller";

/// Runs the journey; its figures are the points and the times to recover, in milliseconds. With
/// `HERMEZ_PLAYS` (for example `canary,hotfix`) only those are played, each with all of its points
/// that none of them had before.
///
/// # Errors
/// When anything is lost or done twice at any point.
pub async fn run(sandbox: &Sandbox) -> Result<Value> {
    let plays = match std::env::var(ONLY) {
        Ok(names) => names
            .split(',')
            .map(|name| Play::named(name).with_context(|| format!("no play is called `{name}`")))
            .collect::<Result<Vec<_>>>()?,
        Err(_) => Play::ALL.to_vec(),
    };
    run_of(sandbox, &plays).await
}

/// Runs the first of its plays alone: a deploy of a new version, killed at everything that it does.
///
/// # Errors
/// When anything is lost or done twice at any point.
pub async fn run_of_a_deploy(sandbox: &Sandbox) -> Result<Value> {
    run_of(sandbox, &[Play::Deploy]).await
}

async fn run_of(sandbox: &Sandbox, plays: &[Play]) -> Result<Value> {
    let _alone = Stopped::if_any();
    let played = Played::start(sandbox, unique("crash-matrix")).await?;
    let own = format!("{}-system", played.namespace);
    make_namespace(&played.client, &own).await?;
    let result = in_its_clusters(sandbox, &played, &own, plays).await;
    let namespaces: Api<Namespace> = Api::all(played.client.clone());
    namespaces.delete(&own, &DeleteParams::default()).await?;
    played.clean_up().await?;
    result
}

async fn make_namespace(cluster: &Client, name: &str) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(cluster.clone());
    let namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
    namespaces
        .create(&PostParams::default(), &namespace)
        .await?;
    Ok(())
}

/// Starts the second cluster where a play needs it, and takes it away again.
async fn in_its_clusters(
    sandbox: &Sandbox,
    played: &Played,
    own: &str,
    plays: &[Play],
) -> Result<Value> {
    if !plays.contains(&Play::Waves) {
        return Box::pin(prepare_and_play(sandbox, played, None, own, plays)).await;
    }
    let second = Second::start(sandbox, &played.namespace).await?;
    let result = async {
        let east = second.sandbox.kube().await?;
        make_namespace(&east, own).await?;
        Box::pin(prepare_and_play(sandbox, played, Some(east), own, plays)).await
    };
    let result = result.await;
    second.clean_up().await?;
    result
}

async fn prepare_and_play(
    sandbox: &Sandbox,
    played: &Played,
    east: Option<Client>,
    own: &str,
    plays: &[Play],
) -> Result<Value> {
    let forge = sandbox.forge()?;
    let (repository, url, clone) = Clone::of_new(&forge, "crash-matrix").await?;
    let tap = Arc::new(Tap::default());
    let behind = Behind::start(sandbox, &played.client, east.as_ref(), &tap).await?;
    let gateway = free_port()?;
    let listens = plays.contains(&Play::Sleep).then_some(gateway);
    let server = Server::start(sandbox, behind.options(own, listens)?).await?;
    let status = &sandbox.status;
    let lane = Lane {
        hermez: server.hermez()?,
        forge: forge.clone(),
        clone,
        client: played.client.clone(),
        east,
        gateway,
        registry: status.registry.clone(),
        namespace: played.namespace.clone(),
        name: played.namespace.clone(),
        url: url.replace(status.forge.trim_end_matches('/'), &behind.forge()),
        repository,
        versions: Default::default(),
        forged: std::sync::Mutex::default(),
        people: std::sync::Mutex::default(),
    };
    let mut matrix = Matrix {
        server,
        tap,
        own: own.to_owned(),
        lane,
        lines: Vec::new(),
        not_met: Vec::new(),
    };
    let result = matrix.travel(plays).await;
    let words = matrix.server.last_words();
    // What is left of the workload goes with its namespace.
    forge.delete_repository(&matrix.lane.repository).await?;
    matrix.lane.delete_other().await?;
    matrix.server.kill().await?;
    result.context(words)
}

/// One line of the table.
struct Line {
    play: Play,
    point: Point,
    outcome: Result<u64, String>,
}

struct Matrix {
    server: Server,
    tap: Arc<Tap>,
    /// Namespace of the controllers' lease.
    own: String,
    lane: Lane,
    lines: Vec<Line>,
    /// Points that did not come by once more, with their plays.
    not_met: Vec<String>,
}

impl Matrix {
    async fn travel(&mut self, plays: &[Play]) -> Result<Value> {
        let begun = Instant::now();
        self.lane.prepare().await.context("before the matrix")?;
        let mut known = BTreeSet::new();
        for play in plays {
            let undisturbed = self.undisturbed(*play).await?;
            let seen = self.tap.seen();
            let must_see = play.must_see().iter();
            let missing: Vec<_> = must_see
                .filter(|part| !seen.iter().any(|effect| effect.contains(*part)))
                .collect();
            anyhow::ensure!(
                missing.is_empty(),
                "the proxies have not seen {missing:?} of {play:?}, only {seen:#?}"
            );
            let own = |effect: &String| play.own().iter().any(|part| effect.contains(part));
            let points: Vec<String> = seen
                .into_iter()
                .filter(|effect| known.insert(effect.clone()) || own(effect))
                .collect();
            eprintln!("{play:?}: {undisturbed}");
            for effect in points {
                for side in [Side::Before, Side::After] {
                    let point = Point {
                        effect: effect.clone(),
                        side,
                    };
                    self.at(*play, point, &undisturbed).await;
                }
            }
        }
        self.figures(begun)
    }

    /// What a play brings about when nothing happens to the server.
    async fn undisturbed(&mut self, play: Play) -> Result<Value> {
        if play.leaves_marks() {
            self.lane.before(play).await?;
            self.lane.play(play).await?;
        }
        self.lane.before(play).await?;
        let mark = self.lane.mark(play).await?;
        self.tap.arm(None, None);
        self.lane
            .play(play)
            .await
            .with_context(|| format!("{play:?}, undisturbed"))?;
        self.lane.since(&mark, play).await
    }

    /// Kills the server at a point, starts it again, and compares.
    async fn at(&mut self, play: Play, point: Point, undisturbed: &Value) {
        let mut tried = Ok(None);
        for _ in 0..TRIES {
            tried = self.try_at(play, &point).await;
            if !matches!(tried, Ok(None)) {
                break;
            }
        }
        let must_come = || {
            let mut parts = play.must_see().iter();
            parts.any(|part| point.effect.contains(part))
        };
        let outcome = match tried {
            Ok(Some((effects, _))) if effects != *undisturbed => Err(format!("has {effects}")),
            Ok(Some((_, recovered))) => Ok(recovered),
            Ok(None) if must_come() => Err("never came by".to_owned()),
            // Who is first to ask for a build is a matter of moments: it cannot be had at will.
            Ok(None) => {
                eprintln!("{play:?} {}: did not come by again", point.effect);
                self.not_met.push(format!("{play:?}: {}", point.effect));
                return;
            }
            Err(error) => Err(format!("{error:#}")),
        };
        let line = Line {
            play,
            point,
            outcome,
        };
        eprintln!("{}", line.text());
        self.lines.push(line);
    }

    /// The effects and the time to recover, in milliseconds; nothing when the point did not come by.
    async fn try_at(&mut self, play: Play, point: &Point) -> Result<Option<(Value, u64)>> {
        self.tap.arm(None, None);
        self.lane.before(play).await?;
        let mark = self.lane.mark(play).await?;
        self.tap.arm(Some(point.clone()), self.server.process());
        let mut died = None;
        let played = {
            let playing = self.lane.play(play);
            let (tap, server, lane) = (&self.tap, &mut self.server, &self.lane);
            let own = &self.own;
            let died = &mut died;
            let reviving = async move {
                tap.has_sprung().await;
                *died = Some(Instant::now());
                revive(server, lane, own).await?;
                std::future::pending::<Result<()>>().await
            };
            tokio::select! {
                played = playing => played,
                failed = reviving => failed,
            }
        };
        if self.tap.is_sprung() {
            // In its very last moment, perhaps.
            if !self.server.runs() {
                revive(&mut self.server, &self.lane, &self.own).await?;
            }
        } else {
            played?;
            self.lane.settles().await?;
            return Ok(None);
        }
        played?;
        let recovered = died.map_or(0, |died| died.elapsed().as_millis() as u64);
        self.lane.settles().await?;
        let effects = self.lane.since(&mark, play).await?;
        Ok(Some((effects, recovered)))
    }

    fn figures(&self, begun: Instant) -> Result<Value> {
        let failures: Vec<String> = self
            .lines
            .iter()
            .filter(|line| line.outcome.is_err())
            .map(Line::text)
            .collect();
        anyhow::ensure!(
            failures.is_empty(),
            "{} of {} points did not end as undisturbed:\n{}",
            failures.len(),
            self.lines.len(),
            failures.join("\n")
        );
        let mut figures = figures_of(self.lines.iter());
        figures["journey"] = json!("crash-matrix");
        figures["not_met"] = json!(self.not_met);
        figures["took_ms"] = json!(begun.elapsed().as_millis() as u64);
        let mut of_plays = serde_json::Map::new();
        for play in Play::ALL {
            let lines: Vec<_> = self.lines.iter().filter(|it| it.play == play).collect();
            if !lines.is_empty() {
                of_plays.insert(format!("{play:?}").to_lowercase(), figures_of(lines));
            }
        }
        figures["plays"] = Value::Object(of_plays);
        Ok(figures)
    }
}

/// The points (each has two sides) and the times to recover.
fn figures_of<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Value {
    let times = lines.into_iter();
    let mut times: Vec<u64> = times.filter_map(|it| it.outcome.clone().ok()).collect();
    times.sort_unstable();
    json!({
        "points": times.len() / 2,
        "kills": times.len(),
        "recovered_p50_ms": times.get(times.len() / 2),
        "recovered_most_ms": times.last(),
    })
}

/// Starts a server that was killed again. That its controllers lead no more is told to the clusters,
/// so that not every point waits for a lease to run out.
async fn revive(server: &mut Server, lane: &Lane, own: &str) -> Result<()> {
    server.has_ended().await?;
    for cluster in lane.clusters() {
        let leases: Api<Lease> = Api::namespaced(cluster.clone(), own);
        match leases.delete(LEASE, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(answer)) if answer.code == 404 => {}
            Err(error) => return Err(error.into()),
        }
    }
    server.launch().await
}

impl Line {
    fn text(&self) -> String {
        let side = match self.point.side {
            Side::Before => "before",
            Side::After => "after",
        };
        let outcome = match &self.outcome {
            Ok(recovered) => format!("as undisturbed, {recovered} ms"),
            Err(error) => format!("DIFFERS: {error}"),
        };
        format!(
            "{:<12} {side:<7} {:<75} {outcome}",
            format!("{:?}", self.play),
            self.point.effect
        )
    }
}

/// The server that came up with the cluster, held while another one's effects are counted: both would
/// reconcile the same resources. It goes on when this is dropped.
struct Stopped(Option<Pid>);

impl Stopped {
    fn if_any() -> Self {
        let process = crate::usage::server().ok();
        let process = process
            .and_then(|it| i32::try_from(it).ok())
            .map(Pid::from_raw);
        Self(process.filter(|process| kill(*process, Signal::SIGSTOP).is_ok()))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Some(process) = self.0 {
            let _ = kill(process, Signal::SIGCONT);
        }
    }
}
