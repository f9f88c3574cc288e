//! `hermez whoami`, `token …`, `login-link` and `audit`.

use clap::Subcommand;
use hermez_api::{CreateToken, CreatedToken, LoginLink, Me};

use crate::app::{self, App};
use crate::args::Limit;
use crate::error::CliError;
use crate::print;
use crate::views;

/// What to do with API tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; its secret is printed this once
    Create {
        /// What it is for
        name: String,
    },
    /// List tokens
    List {
        /// How many
        #[command(flatten)]
        limit: Limit,
    },
    /// Revoke a token: from then on it opens nothing
    Revoke {
        /// Id of the token, from `hermez token list`
        id: String,
    },
}

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// Only what this person or program did
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// Only this action, for example workload.create
    #[arg(long)]
    action: Option<String>,
    /// Only what was done to this, for example workload/hello
    #[arg(long)]
    target: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

/// Runs `whoami`.
pub async fn whoami(app: &App) -> Result<(), CliError> {
    let answer = app.client.get(&["me"], &[]).await?;
    app.show(&answer, |me: &Me, page| {
        views::access::me(me, app.client.server().as_str(), page)
    })
}

/// Runs `token …`.
pub async fn token(app: &App, command: TokenCommand) -> Result<(), CliError> {
    match command {
        TokenCommand::Create { name } => {
            let answer = app.client.post(&["tokens"], &CreateToken { name }).await?;
            if app.json() {
                return print::json(&answer.value);
            }
            let created: CreatedToken = answer.read()?;
            print::note(&format!(
                "Token {} was made. Keep it well: it is not shown again.",
                print::cell(&created.token.id)
            ));
            print::line(&print::cell(&created.secret))
        }
        TokenCommand::List { limit } => {
            let answer = app.client.list(&["tokens"], &[], limit.get()).await?;
            app.show(&answer, views::access::tokens)
        }
        TokenCommand::Revoke { id } => {
            let answer = app.client.delete(&["tokens", &id]).await?;
            app.done(&answer, &format!("Token {id} was revoked."))
        }
    }
}

/// Runs `login-link`.
pub async fn login_link(app: &App) -> Result<(), CliError> {
    let answer = app
        .client
        .post(&["login-links"], &serde_json::json!({}))
        .await?;
    if app.json() {
        return print::json(&answer.value);
    }
    let link: LoginLink = answer.read()?;
    print::note(&format!(
        "Opens once, until {}; whoever opens it is signed in as you:",
        app::page().clock(link.expires_at)
    ));
    print::line(&print::cell(&link.url))
}

/// Runs `audit`.
pub async fn audit(app: &App, args: &AuditArgs) -> Result<(), CliError> {
    let mut query = Vec::new();
    query.extend(args.principal.clone().map(|name| ("principal", name)));
    query.extend(args.action.clone().map(|action| ("action", action)));
    query.extend(args.target.clone().map(|target| ("target", target)));
    let answer = app
        .client
        .list(&["audit"], &query, args.limit.get())
        .await?;
    app.show(&answer, views::access::audit)
}
