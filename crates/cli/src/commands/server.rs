//! `hermez server`: reads what the server is told at its start, and runs it until a signal.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use hermez_server::{Limits, ServerConfig};
use hermez_source::forge::{ForgeConfig, ForgeKind};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use url::Url;

use crate::error::CliError;
use crate::settings;

/// Arguments of `server`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(
        long,
        env = "HERMEZ_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// Folder of the server's own files [default: ${XDG_DATA_HOME:-~/.local/share}/hermez/server]
    #[arg(long, env = "HERMEZ_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Database, `sqlite://FILE` or `postgres://…` [default: hermez.db in the data folder]
    #[arg(
        long,
        env = "HERMEZ_DATABASE",
        hide_env_values = true,
        value_name = "URL"
    )]
    database: Option<String>,
    /// Kubeconfig of the cluster [default: KUBECONFIG, ~/.kube/config, or the pod's own]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Name of that cluster, as rollout strategies write it
    #[arg(
        long,
        env = "HERMEZ_CLUSTER_NAME",
        default_value = "local",
        value_name = "NAME",
        value_parser = cluster_name
    )]
    cluster_name: String,
    /// A further cluster that new versions are brought to in waves, by its kubeconfig; repeatable
    #[arg(long = "cluster", value_name = "NAME=KUBECONFIG", value_parser = parse_cluster)]
    clusters: Vec<(String, PathBuf)>,
    /// Registry for images and manifests
    #[arg(
        long,
        env = "HERMEZ_REGISTRY",
        default_value = "127.0.0.1:5000",
        value_name = "HOST:PORT"
    )]
    registry: String,
    /// Whether the registry speaks plain HTTP [default: true only on loopback]
    #[arg(
        long,
        env = "HERMEZ_REGISTRY_INSECURE",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    registry_insecure: Option<bool>,
    /// BuildKit's address
    #[arg(
        long,
        env = "HERMEZ_BUILDKIT",
        default_value = "unix:///run/buildkit/buildkitd.sock",
        value_name = "ADDRESS"
    )]
    buildkit: String,
    /// The `buildctl` program
    #[arg(
        long,
        env = "HERMEZ_BUILDCTL",
        default_value = "buildctl",
        value_name = "PROGRAM"
    )]
    buildctl: PathBuf,
    /// URL under which people and forges reach the server [default: http://<listen>]
    #[arg(long, env = "HERMEZ_PUBLIC_URL", value_name = "URL")]
    public_url: Option<Url>,
    /// Prometheus that health gates ask about metrics
    #[arg(long, env = "HERMEZ_PROMETHEUS_URL", value_name = "URL")]
    prometheus_url: Option<Url>,
    /// Address that the preview gateway listens on; without it there is none
    #[arg(long, env = "HERMEZ_PREVIEW_LISTEN", value_name = "ADDRESS")]
    preview_listen: Option<SocketAddr>,
    /// URL below whose host each preview has its own [default: http://preview.localhost:<port>]
    #[arg(
        long,
        env = "HERMEZ_PREVIEW_URL",
        value_name = "URL",
        requires = "preview_listen"
    )]
    preview_url: Option<Url>,
    /// File that the first owner's token is written to [default: owner-token in the data folder]
    #[arg(long, env = "HERMEZ_BOOTSTRAP_TOKEN_FILE", value_name = "FILE")]
    bootstrap_token_file: Option<PathBuf>,
    /// Forge whose webhooks Hermez installs, for example gitea=http://127.0.0.1:3000; repeatable
    #[arg(long, value_name = "KIND=URL", value_parser = parse_forge)]
    forge: Vec<(ForgeKind, Url)>,
    /// File with the forge's API token; give one for each --forge, in the same order
    #[arg(long, value_name = "FILE")]
    forge_token_file: Vec<PathBuf>,
    /// Runtime profile: what is injected into every workload [default: the built-in `plain`]
    #[arg(long, env = "HERMEZ_PROFILE", value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Namespace of what Hermez keeps for itself in the cluster: its lease and its profiles' versions
    #[arg(
        long,
        env = "HERMEZ_NAMESPACE",
        default_value = hermez_kinds::names::OWN_NAMESPACE,
        value_name = "NAME"
    )]
    own_namespace: String,
    /// Share of all workloads that a new version of the profile may disturb at the same time, in
    /// percent; at least one workload
    #[arg(
        long,
        default_value_t = 5,
        value_name = "PERCENT",
        value_parser = clap::value_parser!(u32).range(1..=100)
    )]
    profile_wave: u32,
    /// Seconds that a workload may take to be well after it was moved to a new version of the
    /// profile; after that the rollout stops
    #[arg(
        long,
        default_value_t = 600,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    profile_patience: u32,
    /// Builds that run at the same time
    #[arg(
        long,
        env = "HERMEZ_BUILD_CONCURRENCY",
        default_value_t = 2,
        value_name = "N",
        value_parser = clap::value_parser!(u8).range(1..=64)
    )]
    build_concurrency: u8,
    /// Largest repository that is mirrored, in MiB
    #[arg(
        long,
        env = "HERMEZ_MIRROR_LIMIT_MIB",
        default_value_t = 512,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=1_048_576)
    )]
    mirror_limit_mib: u32,
    /// How the server's log is written to standard error; HERMEZ_LOG chooses what (default `info`)
    #[arg(
        long,
        env = "HERMEZ_LOG_FORMAT",
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    log_format: LogFormat,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Runs the server until SIGTERM or SIGINT; a second signal ends it at once.
pub async fn run(args: Args) -> Result<(), CliError> {
    start_log(args.log_format);
    let config = config(args)?;
    let shutdown = CancellationToken::new();
    let signals = wait_for_signals(shutdown.clone()).map_err(|error| {
        CliError::Server(anyhow::Error::new(error).context("signals cannot be received"))
    })?;
    tokio::select! {
        outcome = hermez_server::run(config, shutdown) => outcome.map_err(CliError::Server),
        () = signals => Err(CliError::Interrupted {
            message: "a second signal came: ended without waiting for open requests".to_owned(),
        }),
    }
}

/// Cancels `shutdown` at the first signal; the future ends at the second.
fn wait_for_signals(shutdown: CancellationToken) -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        for _ in 0..2 {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if shutdown.is_cancelled() {
                return;
            }
            shutdown.cancel();
        }
    })
}

fn start_log(format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::INFO.into())
        .with_env_var("HERMEZ_LOG")
        .from_env_lossy();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(console::colors_enabled_stderr());
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().with_ansi(false).init(),
    }
}

fn config(args: Args) -> Result<ServerConfig, CliError> {
    let data_dir = args.data_dir.map_or_else(default_data_dir, Ok)?;
    let forges = forges(args.forge, &args.forge_token_file)?;
    let clusters = clusters(&args.cluster_name, args.clusters)?;
    let mut limits = Limits::default();
    limits.source.mirror_bytes = u64::from(args.mirror_limit_mib) * 1024 * 1024;
    Ok(ServerConfig {
        listen: args.listen,
        data_dir,
        database_url: args.database,
        kubeconfig: args.kubeconfig,
        cluster_name: args.cluster_name,
        clusters,
        registry_insecure: args
            .registry_insecure
            .unwrap_or_else(|| is_loopback_registry(&args.registry)),
        registry: args.registry,
        buildkit_address: args.buildkit,
        buildctl: args.buildctl,
        public_url: args.public_url,
        prometheus_url: args.prometheus_url,
        preview_listen: args.preview_listen,
        preview_url: args.preview_url,
        bootstrap_token_file: args.bootstrap_token_file,
        forges,
        build_concurrency: usize::from(args.build_concurrency),
        limits,
        profile: args.profile,
        own_namespace: args.own_namespace,
        profile_wave_percent: args.profile_wave,
        profile_patience_seconds: args.profile_patience,
    })
}

/// The further clusters by name, each named once.
fn clusters(
    own: &str,
    named: Vec<(String, PathBuf)>,
) -> Result<BTreeMap<String, PathBuf>, CliError> {
    let mut clusters = BTreeMap::new();
    for (name, kubeconfig) in named {
        if name == own || clusters.insert(name.clone(), kubeconfig).is_some() {
            return Err(CliError::Usage {
                message: format!("two clusters are called `{name}`"),
                hint:
                    "Give each --cluster a name of its own; --cluster-name names the server's own."
                        .to_owned(),
            });
        }
    }
    Ok(clusters)
}

/// A cluster's name: what fits into a label, so that it can stand anywhere.
fn cluster_name(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > 63 || !text.chars().all(legal) {
        return Err("a cluster's name has 1 to 63 characters of a-z, 0-9 and '-'".to_owned());
    }
    Ok(text.to_owned())
}

fn parse_cluster(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text
        .split_once('=')
        .filter(|(_, file)| !file.is_empty())
        .ok_or("write it as NAME=KUBECONFIG, for example east=/etc/hermez/east.yaml")?;
    Ok((cluster_name(name)?, PathBuf::from(file)))
}

fn forges(
    forges: Vec<(ForgeKind, Url)>,
    token_files: &[PathBuf],
) -> Result<Vec<ForgeConfig>, CliError> {
    if token_files.len() > forges.len() {
        return Err(CliError::Usage {
            message: "there are more --forge-token-file than --forge".to_owned(),
            hint: "Give one token file for each forge, in the same order.".to_owned(),
        });
    }
    let mut token_files = token_files.iter();
    let mut configs = Vec::new();
    for (kind, base_url) in forges {
        let token = token_files
            .next()
            .map(|path| read_secret(path))
            .transpose()?;
        configs.push(ForgeConfig {
            kind,
            base_url,
            token: token.map(Into::into),
        });
    }
    Ok(configs)
}

fn read_secret(path: &Path) -> Result<String, CliError> {
    let text = settings::read_bounded(path)?.trim().to_owned();
    if text.is_empty() {
        return Err(CliError::File {
            path: path.to_owned(),
            reason: "is empty, and should hold the forge's API token".to_owned(),
            hint: None,
        });
    }
    Ok(text)
}

fn parse_forge(text: &str) -> Result<(ForgeKind, Url), String> {
    let (kind, url) = text
        .split_once('=')
        .ok_or("write it as KIND=URL, for example gitea=http://127.0.0.1:3000")?;
    let kind = match kind {
        "gitea" => ForgeKind::Gitea,
        other => {
            return Err(format!(
                "no forge of kind `{other}` is known; there is: gitea"
            ));
        }
    };
    let url = Url::parse(url).map_err(|error| format!("`{url}` is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() {
        return Err(
            "the forge's URL begins with http:// or https:// and holds no user name".to_owned(),
        );
    }
    Ok((kind, url))
}

fn default_data_dir() -> Result<PathBuf, CliError> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("hermez/server"))
        .ok_or_else(|| CliError::Usage {
            message: "neither XDG_DATA_HOME nor HOME says where the server's files belong"
                .to_owned(),
            hint: "Add --data-dir FOLDER.".to_owned(),
        })
}

/// Whether `host:port` is on this machine.
fn is_loopback_registry(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) {
            host
        } else {
            registry
        }
    });
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn read(line: &str) -> Result<ServerConfig, CliError> {
        config(
            Line::try_parse_from(format!("server --data-dir /d {line}").split_whitespace())
                .unwrap()
                .args,
        )
    }

    #[test]
    fn only_a_loopback_registry_is_plain_http_unless_told() {
        assert!(read("").unwrap().registry_insecure);
        for (registry, loopback) in [
            ("localhost:5000", true),
            ("127.0.0.2:5000", true),
            ("[::1]:5000", true),
            ("registry.example.com", false),
            ("127.0.0.1.example.com:5000", false),
            ("10.0.0.1:5000", false),
        ] {
            assert_eq!(is_loopback_registry(registry), loopback, "{registry}");
        }
        assert!(
            read("--registry r.example:80 --registry-insecure")
                .unwrap()
                .registry_insecure
        );
        assert!(!read("--registry-insecure=false").unwrap().registry_insecure);
    }

    #[test]
    fn each_forge_has_its_own_token() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "secret\n").unwrap();
        let token = format!("--forge-token-file {}", file.display());
        let config = read(&format!(
            "--forge gitea=http://a:1 --forge gitea=https://b {token}"
        ))
        .unwrap();
        assert_eq!(config.forges.len(), 2);
        assert!(config.forges[0].token.is_some() && config.forges[1].token.is_none());
        assert!(!format!("{config:?}").contains("secret"));
        assert_eq!(read(&token).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn forges_of_other_kinds_are_refused_with_those_there_are() {
        assert!(
            parse_forge("gitlab=http://a")
                .unwrap_err()
                .contains("gitea")
        );
        assert!(parse_forge("http://a").unwrap_err().contains("KIND=URL"));
        assert!(parse_forge("gitea=http://me:pw@a").is_err());
    }

    #[test]
    fn limits_are_what_was_said() {
        let config = read("--mirror-limit-mib 3 --build-concurrency 5").unwrap();
        assert_eq!(config.limits.source.mirror_bytes, 3 * 1024 * 1024);
        assert_eq!(config.build_concurrency, 5);
    }
}
