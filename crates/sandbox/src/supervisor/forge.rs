//! The Git forge: Gitea, with its one account. It refuses to run as root and
//! runs as `nobody`, under paths that this user can enter.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nix::unistd::{Gid, Uid, chown};

use super::component::Component;
use super::mounts::{FORGE_DATA, FORGE_TOOLS};
use super::{Context, Error};
use crate::paths::Layout;
use crate::{command, files};

/// `nobody`.
pub(super) const USER_ID: Uid = Uid::from_raw(65_534);
/// `nogroup`.
pub(super) const GROUP_ID: Gid = Gid::from_raw(65_534);
/// The forge's account, an administrator of it.
pub(crate) const USER: &str = "hermez";

/// Writes the forge's configuration. Its secrets are made once.
pub(super) fn prepare(context: &Context) -> Result<(), Error> {
    let path = context.layout.var("forge").join("app.ini");
    let secret = |name: &str| -> Result<String, Error> {
        let path = context.layout.forge_secret(name);
        let what = || Error::io(path.display().to_string());
        if !path.exists() {
            files::write_private(&path, random_secret().as_bytes()).map_err(what())?;
        }
        fs::read_to_string(&path).map_err(what())
    };
    let secrets = [
        secret("secret-key")?,
        secret("internal-token")?,
        secret("jwt-secret")?,
    ];
    let text = render(context.settings.ports.forge, &secrets);
    files::write_private(&path, text.as_bytes()).map_err(Error::io(path.display().to_string()))?;
    chown(&path, Some(USER_ID), Some(GROUP_ID))
        .map_err(|errno| Error::io("chown app.ini")(errno.into()))
}

/// 32 random bytes in the form that the forge wants its secrets.
fn random_secret() -> String {
    let bytes = [
        *uuid::Uuid::new_v4().as_bytes(),
        *uuid::Uuid::new_v4().as_bytes(),
    ]
    .concat();
    URL_SAFE_NO_PAD.encode(bytes)
}

fn render(port: u16, [secret_key, internal_token, jwt_secret]: &[String; 3]) -> String {
    format!(
        "APP_NAME = Hermez local forge
RUN_USER = nobody
RUN_MODE = prod
WORK_PATH = {FORGE_DATA}

[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
DOMAIN = 127.0.0.1
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {FORGE_TOOLS}/static
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false

[database]
DB_TYPE = sqlite3
PATH = {FORGE_DATA}/gitea.db
SQLITE_JOURNAL_MODE = WAL

[security]
INSTALL_LOCK = true
SECRET_KEY = {secret_key}
INTERNAL_TOKEN = {internal_token}

[oauth2]
JWT_SECRET = {jwt_secret}

[service]
DISABLE_REGISTRATION = true

[openid]
ENABLE_OPENID_SIGNIN = false

[picture]
DISABLE_GRAVATAR = true

[webhook]
ALLOWED_HOST_LIST = loopback
DELIVER_TIMEOUT = 10

[repository]
DEFAULT_BRANCH = main
ENABLE_PUSH_CREATE_USER = true

[api]
MAX_RESPONSE_ITEMS = 100

[indexer]
ISSUE_INDEXER_TYPE = db
REPO_INDEXER_ENABLED = false

[actions]
ENABLED = false

[packages]
ENABLED = false

[mailer]
ENABLED = false

[cron]
ENABLED = false

[cron.update_checker]
ENABLED = false

[log]
MODE = console
LEVEL = Warn
"
    )
}

/// The words that run the forge's program as its user.
const AS_USER: [&str; 6] = [
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--no-new-privs",
    "--",
    "/run/hermez/forge-tools/gitea",
];

/// Completes a component that begins with `setpriv`.
pub(super) fn as_user(component: Component) -> Component {
    component
        .args(AS_USER)
        .env("USER", "nobody")
        .env("HOME", FORGE_DATA)
        .env("GITEA_WORK_DIR", FORGE_DATA)
}

fn run_as_user(args: &[&str]) -> Result<String, command::Error> {
    command::output(
        Command::new("setpriv")
            .args(AS_USER)
            .args(args)
            .args(["--config", &format!("{FORGE_DATA}/app.ini")])
            .current_dir(FORGE_DATA)
            .envs([
                ("USER", "nobody"),
                ("HOME", FORGE_DATA),
                ("GITEA_WORK_DIR", FORGE_DATA),
            ]),
    )
}

/// Makes the forge's account and its API token, and writes both to files with
/// mode 0600. Does nothing once that is done; an interrupted try is taken up.
pub fn initialize(layout: &Layout) -> Result<(), Error> {
    let (password_file, token_file) = (
        layout.forge_secret("password"),
        layout.forge_secret("token"),
    );
    let write = |path: &Path, text: &str| {
        files::write_private(path, text.as_bytes()).map_err(Error::io(path.display().to_string()))
    };
    if !password_file.exists() {
        // An account whose password was never written down is of no use. This
        // fails when there is none, as is usual.
        let _ = run_as_user(&["admin", "user", "delete", "--purge", "--username", USER]);
        // The forge makes the password up and prints it: on a command line
        // other users of the machine could read it.
        let output = run_as_user(&[
            "admin",
            "user",
            "create",
            "--admin",
            "--username",
            USER,
            "--email",
            "hermez@localhost.localdomain",
            "--random-password",
            "--random-password-length=24",
            "--must-change-password=false",
        ])?;
        let password =
            quoted(&output).ok_or_else(|| Error::Forge(format!("no password in: {output}")))?;
        write(&password_file, password)?;
    }
    if !token_file.exists() {
        let name = format!("hermez-{}", uuid::Uuid::new_v4().simple());
        let output = run_as_user(&[
            "admin",
            "user",
            "generate-access-token",
            "--username",
            USER,
            "--token-name",
            &name,
            "--scopes",
            "all",
            "--raw",
        ])?;
        let token = output.lines().map(str::trim).rfind(|line| is_token(line));
        write(
            &token_file,
            token.ok_or_else(|| Error::Forge("no token in its answer".to_owned()))?,
        )?;
    }
    Ok(())
}

fn quoted(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("generated random password is '")?;
    rest.split_once("'\n").map(|(password, _)| password)
}

fn is_token(line: &str) -> bool {
    line.len() == 40 && line.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_and_token_are_found_among_other_lines() {
        assert_eq!(
            quoted("x\ngenerated random password is 'a'b'\nNew user\n"),
            Some("a'b")
        );
        assert!(is_token(&"0f".repeat(20)));
        assert!(!is_token("WARN something"));
    }

    #[test]
    fn secrets_differ() {
        assert_ne!(random_secret(), random_secret());
        assert_eq!(random_secret().len(), 43);
    }

    #[test]
    fn the_forge_keeps_to_itself() {
        insta::assert_snapshot!(render(3000, &["a", "b", "c"].map(ToOwned::to_owned)));
    }
}
