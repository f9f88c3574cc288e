//! `hermez receipt`, and the short form of it when a watched deploy fails.

use hermez_api::{Deploy, DeployState, Receipt};

use crate::app::App;
use crate::error::CliError;
use crate::print;
use crate::views;

/// Arguments of `receipt`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Number of the deploy that failed
    #[arg(value_name = "DEPLOY")]
    id: i64,
}

/// Runs `receipt`.
pub async fn run(app: &App, args: &Args) -> Result<(), CliError> {
    let path = ["deploys", &args.id.to_string(), "receipt"];
    let answer = app.client.get(&path, &[]).await?;
    let url = url(app, args.id);
    app.show(&answer, |receipt: &Receipt, page| {
        views::receipt::full(receipt, &url, page)
    })
}

/// Where people read the receipt.
fn url(app: &App, id: i64) -> String {
    let server = app.client.server().as_str().trim_end_matches('/');
    format!("{server}/deploys/{id}/receipt")
}

/// Prints the short form of a failed deploy's receipt; gives what to do next. Nothing where there is
/// no receipt: that a deploy failed is said in any case.
pub(super) async fn print_short(app: &App, deploy: &Deploy) -> Result<Option<String>, CliError> {
    let id = deploy.summary.id;
    if deploy.summary.state != DeployState::Failed {
        return Ok(None);
    }
    let path = ["deploys", &id.to_string(), "receipt"];
    let Ok(answer) = app.client.get_patiently(&path).await else {
        return Ok(None);
    };
    let receipt: Receipt = answer.read()?;
    if app.json() {
        print::json_line(&serde_json::json!({ "event": "receipt", "data": receipt }))?;
    } else {
        print::raw(&views::receipt::last_lines(&receipt))?;
    }
    Ok(Some(views::receipt::next(&receipt, &url(app, id))))
}
