//! Journeys: the whole system, driven from outside as its users drive it.
//!
//! A journey runs against a local cluster that is up (`cargo xtask up`), talks to Hermez through
//! its API alone, and returns its figures. The tests in `tests/` assert on the same journeys.
//! Nothing here calls the server's functions, or looks into its database: but for
//! [`pull_request::unused`], since seven days cannot be waited for.

pub mod batch;
pub mod burst;
pub mod canary;
pub mod command_line;
pub mod crash;
pub mod crash_matrix;
pub mod cronjob;
pub mod failure_receipt;
pub mod forge;
pub mod gates;
pub mod hermez;
pub mod hotfix;
pub mod jobset;
pub mod main_job;
pub mod metric_checks;
pub mod played;
pub mod postgres;
pub mod proxy;
pub mod pull_request;
pub mod rollback;
pub mod rules;
pub mod sample;
pub mod sandbox;
pub mod scale;
pub mod second;
pub mod server;
pub mod service;
pub mod stage;
pub mod statefulset;
pub mod streaming;
pub mod thousand;
pub mod training;
pub mod usage;
pub mod visitor;
pub mod wait;
pub mod waves;

use serde_json::Value;

/// The journeys by name, each with one line on what it shows.
pub const JOURNEYS: &[(&str, &str)] = &[
    (
        "main-job",
        "repository, push, webhook, build, publish, deploy, HTTP answer; again with a second commit; timed against the same work by hand",
    ),
    (
        "crash",
        "the server is killed while building and while rolling out; every deploy finishes once",
    ),
    (
        "crash-matrix",
        "the server is killed before and after every transaction and every write of builds, deploys, rollbacks and their reverts, approvals, canaries, waves, hotfixes, previews and their sleep, scaling and its autoscaler, a workload made and deleted (HERMEZ_PLAYS names some); all ends as undisturbed",
    ),
    (
        "jobset",
        "groups of jobs meet by name, wait for each other and start again after a failure; a circle is refused at its place; a pull request's runs once, on request",
    ),
    (
        "training",
        "four workers meet and reduce, lose one, and end right from their checkpoint; a gang that cannot fit starts nothing; a pull request's runs once, on request",
    ),
    (
        "cronjob",
        "a cron job fires, is run now with other arguments, stays suspended through a deploy, is resumed, fails with its reason, and goes",
    ),
    (
        "statefulset",
        "a stateful set keeps its data through an update, a lost pod and scaling, is updated in part, and refuses what cannot be",
    ),
    (
        "service",
        "a PinterestService with everything: HTTP answer, kubectl explain, get, wait, scale, apply and delete, orphans",
    ),
    (
        "thousand",
        "a thousand PinterestServices on played nodes: time, CPU, memory, writes, and what a restart costs",
    ),
    (
        "streaming",
        "a Flink job is built, started, upgraded with a savepoint, and comes back from a version that fails",
    ),
    (
        "rollback",
        "a bad version comes by itself with a push, and goes with one action; pin, mark, override, restart, hold",
    ),
    (
        "rules",
        "deploys wait for a window, a freeze and approvals and go on by themselves; a restart passes, an exception lets one through, a lock refuses",
    ),
    (
        "gates",
        "a version crashes after its pods were ready: health gates fail the deploy, and what ran comes back by itself, once",
    ),
    (
        "metric-checks",
        "pods are well and metrics are not: checks against a number and the version before fail deploys and canaries; Prometheus away is waited for",
    ),
    (
        "pull-request",
        "a pull request gets a preview with a URL, a comment and a status; it follows pushes, sleeps, wakes, is shared and goes; a fork's waits for a word",
    ),
    (
        "unused-preview",
        "behind TLS a preview is https all the way; nobody uses it for seven days, and it goes",
    ),
    (
        "failure-receipt",
        "deploys fail in nine ways; each receipt names the cause, shows last lines without secrets and what came, and brings back what ran",
    ),
    (
        "burst",
        "a thousand deploys at once (HERMEZ_DEPLOYS: another number) on played pods: all finish, none twice; and what Hermez adds to an apply, over two hundred deploys",
    ),
    (
        "canary",
        "a canary answers behind the same Service, is promoted, fails, is canceled, and outlives a killed server; what ran is left alone",
    ),
    (
        "waves",
        "two clusters in waves: the second after the first has baked; a failure holds or brings all back; a killed server, a cluster away",
    ),
    (
        "hotfix",
        "a fix is picked onto exactly what runs, pushed, built and deployed, and nothing else comes along; a conflict names files and places",
    ),
    (
        "command-line",
        "the program as people type it: deploys, rollbacks, hotfixes, previews, rules, scaling, and what is wrong; words, exit codes, JSON, no token",
    ),
    (
        "scale",
        "the number of pods is the file's, a person's, kubectl's, an autoscaler's; no deploy resets it, and each gives it back",
    ),
];

/// Runs the journey called `name` and returns its figures.
///
/// # Errors
/// When there is no such journey, when no local cluster is up, or when the journey fails.
pub async fn run(name: &str) -> anyhow::Result<Value> {
    let sandbox = sandbox::Sandbox::find()?;
    match name {
        "main-job" => main_job::run(&sandbox).await,
        "crash" => crash::run(&sandbox).await,
        "crash-matrix" => crash_matrix::run(&sandbox).await,
        "jobset" => jobset::run(&sandbox).await,
        "training" => training::run(&sandbox).await,
        "cronjob" => cronjob::run(&sandbox).await,
        "statefulset" => statefulset::run(&sandbox).await,
        "service" => service::run(&sandbox).await,
        "thousand" => thousand::run(&sandbox).await,
        "streaming" => streaming::run(&sandbox).await,
        "rollback" => rollback::run(&sandbox).await,
        "burst" => burst::run(&sandbox).await,
        "metric-checks" => metric_checks::run(&sandbox).await,
        "canary" => canary::run(&sandbox).await,
        "waves" => waves::run(&sandbox).await,
        "hotfix" => hotfix::run(&sandbox).await,
        "command-line" => command_line::run(&sandbox).await,
        "scale" => scale::run(&sandbox).await,
        "rules" => rules::run(&sandbox).await,
        "gates" => gates::run(&sandbox).await,
        "pull-request" => pull_request::run(&sandbox).await,
        "unused-preview" => pull_request::unused::run(&sandbox).await,
        "failure-receipt" => failure_receipt::run(&sandbox).await,
        other => anyhow::bail!(
            "there is no journey called {other:?}; there are: {}",
            JOURNEYS
                .iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}
