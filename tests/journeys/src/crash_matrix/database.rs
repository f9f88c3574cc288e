//! A proxy before PostgreSQL that sees every transaction that changes something, by its protocol.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::unix::{OwnedReadHalf as FromDatabase, OwnedWriteHalf as ToDatabase};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::tap::{Tap, Verdict};

/// Largest message that is looked at, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;
/// Words of states: of deploys, builds, previews and changes of scale.
const STATES: [&str; 22] = [
    "active",
    "canary",
    "ended",
    "pending",
    "refused",
    "removed",
    "removing",
    "replaced",
    "sleeping",
    "waking",
    "building",
    "queued",
    "applying",
    "rolling_out",
    "verifying",
    "succeeded",
    "failed",
    "canceled",
    "superseded",
    "running",
    "regular",
    "waiting",
];
/// Columns whose changes have a name of their own.
const COLUMNS: [(&str, &str); 5] = [
    ("lease_owner", "lease"),
    ("promoted", "promoted"),
    ("paused_by", "paused"),
    ("cancel_requested", "cancel"),
    ("held", "held"),
];
/// Tables whose changes are no effect of a deploy: how far the log of a build is, and who was seen.
const QUIET: [&str; 6] = [
    "build_log_line",
    "build_step",
    "api_token",
    "deploy_event",
    "repository",
    "principal",
];

/// A proxy on loopback; it ends when dropped.
pub struct DatabaseWire {
    port: u16,
    task: JoinHandle<()>,
}

impl DatabaseWire {
    /// Listens on a free port, and carries connections to PostgreSQL's socket.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn to(socket: PathBuf, tap: Arc<Tap>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (socket, tap) = (socket.clone(), tap.clone());
                tokio::spawn(async move {
                    // A connection that breaks is the server's or the database's end.
                    let _ = carry(client, socket, tap).await;
                });
            }
        });
        Ok(Self { port, task })
    }

    /// URL of a database behind it.
    pub fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://hermez@127.0.0.1:{port}/{database}?sslmode=disable")
    }
}

impl Drop for DatabaseWire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, socket: PathBuf, tap: Arc<Tap>) -> Result<()> {
    client.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_database, to_database) = UnixStream::connect(socket).await?.into_split();
    let kill_at_answer = Arc::new(AtomicBool::new(false));
    let questions = ask(from_client, to_database, &tap, &kill_at_answer);
    let answers = answer(from_database, to_client, &tap, &kill_at_answer);
    tokio::select! {
        ended = questions => ended,
        ended = answers => ended,
    }
}

async fn answer(
    mut from: FromDatabase,
    mut to: OwnedWriteHalf,
    tap: &Tap,
    kill_at_answer: &AtomicBool,
) -> Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        if kill_at_answer.load(Ordering::SeqCst) {
            tap.spring();
            return Ok(());
        }
        to.write_all(&buffer[..count]).await?;
    }
}

async fn ask(
    mut from: OwnedReadHalf,
    mut to: ToDatabase,
    tap: &Tap,
    kill_at_answer: &AtomicBool,
) -> Result<()> {
    // The first message has no type.
    let length = from.read_u32().await?;
    let mut first = vec![0; (length as usize).saturating_sub(4).min(LARGEST)];
    from.read_exact(&mut first).await?;
    to.write_u32(length).await?;
    to.write_all(&first).await?;
    let mut session = Session::default();
    loop {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await?;
        let size = (length as usize).saturating_sub(4);
        anyhow::ensure!(size <= LARGEST, "a message of {size} bytes");
        let mut body = vec![0; size];
        from.read_exact(&mut body).await?;
        let verdict = match session.hears(kind, &body) {
            Some(effect) => tap.passes(&effect),
            None => Verdict::Pass,
        };
        match verdict {
            Verdict::Drop => return Ok(()),
            Verdict::PassThenKill => kill_at_answer.store(true, Ordering::SeqCst),
            Verdict::Pass => {}
        }
        let mut message = Vec::with_capacity(size + 5);
        message.push(kind);
        message.extend(length.to_be_bytes());
        message.extend(body);
        to.write_all(&message).await?;
    }
}

/// What one connection has prepared, and has changed without having committed it.
#[derive(Default)]
struct Session {
    statements: HashMap<Vec<u8>, String>,
    in_transaction: bool,
    changes: BTreeSet<String>,
}

impl Session {
    /// Hears a message; gives the effect that it brings about.
    fn hears(&mut self, kind: u8, body: &[u8]) -> Option<String> {
        match kind {
            b'P' => {
                let (name, rest) = text(body)?;
                let (sql, _) = text(rest)?;
                let sql = String::from_utf8_lossy(sql).into_owned();
                self.statements.insert(name.to_vec(), sql);
                None
            }
            b'B' => {
                let (_, rest) = text(body)?;
                let (name, values) = text(rest)?;
                let change = change(self.statements.get(name)?, values);
                self.changes.extend(change);
                None
            }
            // Outside of a transaction each statement is one.
            b'S' if !self.in_transaction => self.done(),
            b'Q' => {
                let (sql, _) = text(body)?;
                let sql = String::from_utf8_lossy(sql).to_uppercase();
                if sql.starts_with("BEGIN") || sql.starts_with("START") {
                    self.in_transaction = true;
                } else if sql.starts_with("COMMIT") {
                    self.in_transaction = false;
                    return self.done();
                } else if sql.starts_with("ROLLBACK") {
                    self.in_transaction = false;
                    self.changes.clear();
                }
                None
            }
            _ => None,
        }
    }

    fn done(&mut self) -> Option<String> {
        let changes = std::mem::take(&mut self.changes);
        if changes.is_empty() {
            return None;
        }
        let known = |change: &String| {
            // The counter of a timeline moves with each entry.
            !changes
                .iter()
                .any(|other| other.len() > change.len() && other.starts_with(&format!("{change} ")))
        };
        let changes: Vec<&str> = changes
            .iter()
            .filter(|it| known(it))
            .map(String::as_str)
            .collect();
        Some(format!("database: {}", changes.join(", ")))
    }
}

/// A text that ends with a zero, and the rest.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// What a statement changes: the table, and the state that it writes.
fn change(sql: &str, values: &[u8]) -> Option<String> {
    let (verb, rest) = ["INSERT INTO ", "UPDATE ", "DELETE FROM "]
        .iter()
        .find_map(|verb| Some((*verb, sql.strip_prefix(verb)?)))?;
    let table = rest.trim_start_matches('"').split(['"', ' ']).next()?;
    if QUIET.contains(&table) {
        return None;
    }
    let verb = verb.split(' ').next()?.to_lowercase();
    // What sets it, not what it is looked for by.
    let set = sql.split(" WHERE ").next().unwrap_or(sql);
    let begins = |state: &&&str| {
        let mut wanted = u32::try_from(state.len())
            .unwrap_or(0)
            .to_be_bytes()
            .to_vec();
        wanted.extend(state.as_bytes());
        let at = values.windows(wanted.len()).position(|it| it == wanted);
        at.unwrap_or(usize::MAX)
    };
    let state = STATES.iter().min_by_key(begins);
    let state = state.filter(|state| begins(state) < usize::MAX && set.contains("\"state\""));
    let column = COLUMNS
        .iter()
        .find(|(column, _)| set.contains(&format!("\"{column}\"")));
    // A deploy that goes back to its beginning, with its plan, goes on to the next cluster.
    let again = ["\"plan\"", "\"verify_until_ms\""];
    let again = again.iter().all(|column| set.contains(column));
    let word = match (state, column) {
        _ if verb != "update" => String::new(),
        (Some(state), _) if again && *state == "applying" => format!(" to {state} the next wave"),
        (Some(state), _) => format!(" to {state}"),
        (None, Some((_, word))) => format!(" {word}"),
        (None, None) => String::new(),
    };
    Some(format!("{verb} {table}{word}"))
}
