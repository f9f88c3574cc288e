//! Which server a client command talks to, and with which token.
//!
//! Server: `--server`, else `HERMEZ_SERVER`, else the config file, else the local cluster of
//! `cargo xtask up`. Token: `--token-file`, else `HERMEZ_TOKEN`, else `HERMEZ_TOKEN_FILE`, else the
//! config file's or the local cluster's, which is only ever sent to the server it stands beside.

mod file;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

pub use file::{ConfigFile, config_path, read_bounded, read_config, write_config};

use crate::error::CliError;

/// How to sign in, for those who have not.
const SIGN_IN: &str = "Sign in with `hermez login --server URL --token-stdin`, or set HERMEZ_SERVER and HERMEZ_TOKEN_FILE (`cargo xtask status` prints both for the local sandbox).";

/// A secret that opens the API. Its text is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes what a file, a variable or standard input held.
    pub fn parse(text: &str, place: &str) -> Result<Self, CliError> {
        let text = text.trim();
        let fits = (1..=512).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if !fits {
            return Err(CliError::NotSignedIn {
                message: format!("{place} does not hold a token"),
                hint: "A token is one line that begins with `hermez_`; make one with `hermez token create NAME`.".to_owned(),
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret itself, for the request's header.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What the command line says about the connection.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--server`.
    pub server: Option<String>,
    /// `--token-file`.
    pub token_file: Option<PathBuf>,
}

/// A server and the token for it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The server's address.
    pub server: Url,
    /// What opens it.
    pub token: Token,
}

/// Where a token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TokenSource {
    Text(String, &'static str),
    File(PathBuf),
}

/// Finds out the server and the token, and reads the token.
pub fn connection(flags: &Flags) -> Result<Connection, CliError> {
    let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let file = read_config(&config_path(env)?)?;
    let known: Vec<ConfigFile> = file.into_iter().chain(local_cluster(env)).collect();
    let (server, source) = resolve(flags, env, &known)?;
    let token = match source {
        TokenSource::Text(text, place) => Token::parse(&text, place)?,
        TokenSource::File(path) => {
            Token::parse(&read_bounded(&path)?, &path.display().to_string())?
        }
    };
    Ok(Connection { server, token })
}

/// The decision, as a function of what was said and of the servers that are known, best first.
fn resolve(
    flags: &Flags,
    env: impl Fn(&str) -> Option<String>,
    known: &[ConfigFile],
) -> Result<(Url, TokenSource), CliError> {
    let not_signed_in = |message: String| CliError::NotSignedIn {
        message,
        hint: SIGN_IN.to_owned(),
    };
    let server = flags
        .server
        .clone()
        .or_else(|| env("HERMEZ_SERVER"))
        .or_else(|| known.iter().find_map(|known| known.server.clone()))
        .ok_or_else(|| not_signed_in("no Hermez server is known".to_owned()))?;
    let server = parse_server(&server)?;
    let of_this_server = |known: &&ConfigFile| {
        let theirs = known
            .server
            .as_ref()
            .and_then(|theirs| parse_server(theirs).ok());
        theirs.is_some_and(|theirs| theirs == server)
    };
    let token = flags
        .token_file
        .clone()
        .map(TokenSource::File)
        .or_else(|| env("HERMEZ_TOKEN").map(|text| TokenSource::Text(text, "HERMEZ_TOKEN")))
        .or_else(|| env("HERMEZ_TOKEN_FILE").map(|path| TokenSource::File(path.into())))
        .or_else(|| {
            known
                .iter()
                .filter(of_this_server)
                .find_map(ConfigFile::token_source)
        })
        .ok_or_else(|| not_signed_in(format!("no token for {server} is known")))?;
    Ok((server, token))
}

impl ConfigFile {
    fn token_source(&self) -> Option<TokenSource> {
        let text = self
            .token
            .clone()
            .map(|text| TokenSource::Text(text, "the config file"));
        text.or_else(|| self.token_file.clone().map(TokenSource::File))
    }
}

/// The local cluster of `cargo xtask up`, if one runs: its `state.json` names server and token file.
fn local_cluster(env: impl Fn(&str) -> Option<String>) -> Option<ConfigFile> {
    #[derive(Deserialize)]
    struct State {
        phase: String,
        server: String,
        token_file: PathBuf,
    }
    let data_home = || {
        let home = env("HOME").map(|home| Path::new(&home).join(".local/share"));
        env("XDG_DATA_HOME").map(PathBuf::from).or(home)
    };
    let folder = env("HERMEZ_SANDBOX")
        .map(PathBuf::from)
        .or_else(|| data_home().map(|home| home.join("hermez/local")))?;
    let text = read_bounded(&folder.join("state.json")).ok()?;
    let state: State = serde_json::from_str(&text).ok()?;
    (state.phase != "stopped").then_some(ConfigFile {
        server: Some(state.server),
        token: None,
        token_file: Some(state.token_file),
    })
}

/// Parses a server's address: http or https, without credentials, query or fragment.
pub fn parse_server(text: &str) -> Result<Url, CliError> {
    let wrong = |why: &str| CliError::Usage {
        message: format!("the server's address `{text}` {why}"),
        hint: "Write it as http://127.0.0.1:8080 or https://hermez.example.com.".to_owned(),
    };
    let mut url = Url::parse(text).map_err(|error| wrong(&format!("is not a URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("is not an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(CliError::Usage {
            message: "the server's address must not hold a user name or a password".to_owned(),
            hint: "Give the token with --token-file, HERMEZ_TOKEN_FILE or `hermez login`."
                .to_owned(),
        });
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Whether the server is on this machine, so that plain HTTP tells nobody the token.
pub fn is_loopback(server: &Url) -> bool {
    match server.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        }
    }

    /// A config file that names a server and its token.
    pub fn file() -> ConfigFile {
        ConfigFile {
            server: Some("http://configured:1/".to_owned()),
            token: Some("hermez_configured".to_owned()),
            token_file: None,
        }
    }

    #[test]
    fn flags_win_over_variables_and_those_over_the_file() {
        let flags = Flags {
            server: Some("http://flag:1".to_owned()),
            token_file: Some("/f".into()),
        };
        let vars = [
            ("HERMEZ_SERVER", "http://var:1"),
            ("HERMEZ_TOKEN_FILE", "/v"),
        ];
        let (server, token) = resolve(&flags, env(&vars), &[file()]).unwrap();
        assert_eq!(
            (server.as_str(), token),
            ("http://flag:1/", TokenSource::File("/f".into()))
        );
        let (server, token) = resolve(&Flags::default(), env(&vars), &[file()]).unwrap();
        assert_eq!(
            (server.as_str(), token),
            ("http://var:1/", TokenSource::File("/v".into()))
        );
        let (server, token) = resolve(&Flags::default(), env(&[]), &[file()]).unwrap();
        assert_eq!(server.as_str(), "http://configured:1/");
        assert!(matches!(token, TokenSource::Text(text, _) if text == "hermez_configured"));
    }

    #[test]
    fn a_token_of_the_file_is_not_sent_to_another_server() {
        let flags = Flags {
            server: Some("http://other:1".to_owned()),
            token_file: None,
        };
        let error = resolve(&flags, env(&[]), &[file()]).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(
            error.to_string().contains("no token for http://other:1/"),
            "{error}"
        );
    }

    #[test]
    fn a_local_cluster_that_runs_is_found_last() {
        let folder = tempfile::tempdir().unwrap();
        let write = |phase: &str| {
            let state = serde_json::json!({
                "phase": phase, "server": "http://local:1", "token_file": "/t", "forge": "x",
            });
            std::fs::write(folder.path().join("state.json"), state.to_string()).unwrap();
            local_cluster(env(&[("HERMEZ_SANDBOX", folder.path().to_str().unwrap())]))
        };
        assert_eq!(write("stopped"), None);
        let local = write("ready").unwrap();
        let (server, token) =
            resolve(&Flags::default(), env(&[]), std::slice::from_ref(&local)).unwrap();
        assert_eq!(
            (server.as_str(), token),
            ("http://local:1/", TokenSource::File("/t".into()))
        );
        let (server, _) = resolve(&Flags::default(), env(&[]), &[file(), local.clone()]).unwrap();
        assert_eq!(server.as_str(), "http://configured:1/");
        // Each token goes to its own server.
        let flags = Flags {
            server: Some("http://local:1".to_owned()),
            token_file: None,
        };
        let (_, token) = resolve(&flags, env(&[]), &[file(), local]).unwrap();
        assert_eq!(token, TokenSource::File("/t".into()));
    }

    #[test]
    fn addresses_are_checked() {
        for wrong in [
            "127.0.0.1:8080",
            "ftp://host",
            "http://user:pw@host",
            "unix:///x",
        ] {
            let error = parse_server(wrong).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{wrong}");
            assert!(!error.to_string().contains("pw"), "{error}");
        }
        assert_eq!(
            parse_server("https://host/hermez/").unwrap().as_str(),
            "https://host/hermez"
        );
    }

    #[test]
    fn tokens_are_checked_and_never_shown() {
        assert!(Token::parse(" hermez_abc\n", "x").is_ok());
        assert!(Token::parse("two words", "x").is_err());
        assert!(Token::parse("", "x").is_err());
        assert_eq!(
            format!("{:?}", Token::parse("hermez_abc", "x").unwrap()),
            "Token(…)"
        );
    }
}
