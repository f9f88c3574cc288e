//! `hermez login`.

use std::io::Read;

use hermez_api::Me;

use crate::args::Global;
use crate::client::Client;
use crate::error::CliError;
use crate::print;
use crate::settings::{self, ConfigFile, Connection, Token, is_loopback};

/// Arguments of `login`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Read the token from standard input
    #[arg(long)]
    token_stdin: bool,
}

/// Checks the token with the server, then keeps both in the config file (mode 0600).
pub async fn run(global: &Global, args: &Args) -> Result<(), CliError> {
    let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let server = global
        .server
        .clone()
        .or_else(|| env("HERMEZ_SERVER"))
        .ok_or_else(|| CliError::Usage {
            message: "which server to sign in to?".to_owned(),
            hint: "Add --server URL.".to_owned(),
        })?;
    let server = settings::parse_server(&server)?;
    let token = read_token(global, args)?;
    if server.scheme() == "http" && !is_loopback(&server) {
        print::note("Note: the token travels in clear over plain HTTP. Use https where you can.");
    }
    let connection = Connection {
        server: server.clone(),
        token: token.clone(),
    };
    let answer = Client::new(&connection)?.get(&["me"], &[]).await?;
    let me: Me = answer.read()?;
    let path = settings::config_path(env)?;
    let config = ConfigFile {
        server: Some(server.to_string()),
        token: Some(token.expose().to_owned()),
        token_file: None,
    };
    settings::write_config(&path, &config)?;
    if global.output == print::Format::Json {
        return print::json(&answer.value);
    }
    print::line(&format!(
        "Signed in to {server} as {} ({}). Kept in {}.",
        print::cell(&me.name),
        print::cell(&me.role),
        path.display()
    ))
}

fn read_token(global: &Global, args: &Args) -> Result<Token, CliError> {
    if let Some(path) = &global.token_file {
        return Token::parse(&settings::read_bounded(path)?, &path.display().to_string());
    }
    if !args.token_stdin {
        return Err(CliError::Usage {
            message: "where is the token to be read from?".to_owned(),
            hint: "Pipe it in with --token-stdin, or name its file with --token-file; tokens are not taken from the command line, where others could see them.".to_owned(),
        });
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(4096).read_to_string(&mut text);
    read.map_err(|error| CliError::Usage {
        message: format!("standard input cannot be read: {error}"),
        hint: "Pipe the token in: `hermez login --server URL --token-stdin < file`.".to_owned(),
    })?;
    Token::parse(&text, "standard input")
}
