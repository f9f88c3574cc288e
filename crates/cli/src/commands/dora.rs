//! `hermez dora`.

use crate::app::App;
use crate::choose;
use crate::error::CliError;
use crate::views;

/// Arguments of `dora`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Workload; may be left out where it is clear
    #[arg(conflicts_with = "project")]
    workload: Option<String>,
    /// All workloads of this project together
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Days to look back (1 to 365)
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=365))]
    days: u16,
}

/// Runs `dora`.
pub async fn run(app: &App, args: Args) -> Result<(), CliError> {
    let days = [("days", args.days.to_string())];
    let name = match &args.project {
        Some(project) => project.clone(),
        None => choose::workload(app, args.workload).await?,
    };
    let of = if args.project.is_some() {
        "projects"
    } else {
        "workloads"
    };
    let path = [of, name.as_str(), "delivery-performance"];
    let answer = app.client.get(&path, &days).await?;
    app.show(&answer, views::delivery::show)
}
