//! `hermez whoami`, `principal …`, `token …`, `login-link` and `audit`.

use clap::{Subcommand, ValueEnum};
use hermez_api::{CreatePrincipal, CreateToken, CreatedToken, LoginLink, Me, Principal};

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

/// What to do with people and programs.
#[derive(Debug, Subcommand)]
pub enum PrincipalCommand {
    /// Add somebody who may sign in
    Create {
        /// Unique name: lower-case letters, digits, `.`, `_` and `-`
        name: String,
        /// What they may do
        #[arg(long, value_enum)]
        role: Role,
    },
    /// List who may sign in
    List {
        /// How many
        #[command(flatten)]
        limit: Limit,
    },
    /// Make a link that signs a browser in once, as that person
    LoginLink {
        /// Whom it signs in
        name: String,
    },
    /// Make an API token for them; its secret is printed this once
    Token {
        /// Whose token it is
        principal: String,
        /// What it is for
        name: String,
    },
}

/// What somebody may do, as the API writes it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Role {
    /// Everything
    Owner,
    /// Look, and change nothing
    Viewer,
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

/// Runs `principal …`.
pub async fn principal(app: &App, command: PrincipalCommand) -> Result<(), CliError> {
    match command {
        PrincipalCommand::Create { name, role } => {
            let role = super::build::word(Some(role)).unwrap_or_default();
            let body = CreatePrincipal { name, role };
            let answer = app.client.post(&["principals"], &body).await?;
            let made: Principal = answer.read()?;
            let name = print::cell(&made.name);
            let sentence = format!(
                "{name} may sign in, as {}. Let them in with `hermez principal login-link {name}`.",
                print::cell(&made.role)
            );
            app.done(&answer, &sentence)
        }
        PrincipalCommand::List { limit } => {
            let answer = app.client.list(&["principals"], &[], limit.get()).await?;
            app.show(&answer, views::access::principals)
        }
        PrincipalCommand::LoginLink { name } => {
            let path = ["principals", name.as_str(), "login-links"];
            show_link(app, &path, &print::cell(&name)).await
        }
        PrincipalCommand::Token { principal, name } => {
            let path = ["principals", principal.as_str(), "tokens"];
            show_token(app, &path, name).await
        }
    }
}

async fn show_token(app: &App, path: &[&str], name: String) -> Result<(), CliError> {
    let answer = app.client.post(path, &CreateToken { name }).await?;
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

async fn show_link(app: &App, path: &[&str], whom: &str) -> Result<(), CliError> {
    let answer = app.client.post(path, &serde_json::json!({})).await?;
    if app.json() {
        return print::json(&answer.value);
    }
    let link: LoginLink = answer.read()?;
    print::note(&format!(
        "Opens once, until {}; whoever opens it is signed in as {whom}:",
        app::page().clock(link.expires_at)
    ));
    print::line(&print::cell(&link.url))
}

/// Runs `token …`.
pub async fn token(app: &App, command: TokenCommand) -> Result<(), CliError> {
    match command {
        TokenCommand::Create { name } => show_token(app, &["tokens"], name).await,
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
    show_link(app, &["login-links"], "you").await
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
