//! `cargo xtask status`.

use clap::{Args, ValueEnum};
use hermez_sandbox::status::{self, Phase, Status};

use crate::Cluster;

/// What `status` can be told.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    cluster: Cluster,
    /// For people or for programs
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Prints the status.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let status = status::read(&arguments.cluster.data_dir()?)?;
    match arguments.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&status)?),
        Output::Table => print!("{}", table(&status)),
    }
    Ok(())
}

fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(ToOwned::to_owned))
        .unwrap_or_default()
}

fn table(status: &Status) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "The cluster in {} is {}.\n",
        status.data_dir.display(),
        word(status.phase)
    );
    if status.phase == Phase::Stopped {
        return text;
    }
    let _ = writeln!(
        text,
        "\n{:<24} {:<11} {:>8} {:>9}",
        "COMPONENT", "STATE", "PID", "RESTARTS"
    );
    for component in &status.components {
        let pid = component.pid.map(|pid| pid.to_string()).unwrap_or_default();
        let state = word(component.state);
        let _ = writeln!(
            text,
            "{:<24} {state:<11} {pid:>8} {:>9}",
            component.name, component.restarts
        );
    }
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    line("\nHermez", &format!(" {}", status.server));
    for balancer in &status.load_balancers {
        for port in &balancer.ports {
            line(
                &balancer.name,
                &format!("http://{}:{port}/", balancer.address),
            );
        }
    }
    line("Forge", &status.forge);
    line("Registry", &status.registry);
    line("Kubeconfig", &status.kubeconfig.display().to_string());
    line("kubectl", &status.kubectl.display().to_string());
    text
}
