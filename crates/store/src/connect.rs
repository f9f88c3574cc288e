//! Opening the database, and telling watchers what changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    RuntimeErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};

use crate::{StoreError, migration, others};

/// Changes that a slow watcher may be behind before it is told that it missed some.
const CHANGES_KEPT: usize = 1024;
/// How long a call waits for a free connection, and SQLite for another process's lock.
const WAIT: Duration = Duration::from_secs(5);
/// How long after finding the file locked by another that opens it, opening is tried again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// A connection to PostgreSQL that was not used for this long is asked for a sign of life first.
const TESTED_AFTER: Duration = Duration::from_secs(1);
/// Connections to PostgreSQL; one of them listens to what other servers change.
const POSTGRES_CONNECTIONS: u32 = 11;
/// Reading connections to SQLite (it has one writer).
const SQLITE_READERS: u32 = 4;
/// Prepared statements that a connection keeps: more than Hermez has, so that none is read anew.
const STATEMENTS: usize = 512;

/// Which database answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite: one server.
    Sqlite,
    /// PostgreSQL: any number of servers.
    Postgres,
}

/// Something that changed, announced after its transaction was committed. Servers that share
/// PostgreSQL tell it each other in these words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A build's row.
    Build(i64),
    /// A build's steps or its log: while it runs, several times a second.
    BuildLog(i64),
    /// A deploy's row or its timeline.
    Deploy(i64),
    /// A workload's row or its repository's, by the workload's name.
    Workload(String),
    /// A rule that may hold deploys back.
    Rules,
    /// A preview's row.
    Preview(i64),
    /// The artifact of this deploy was marked as bad, or is so no longer, wherever it runs.
    Marked(i64),
    /// Other servers may have changed anything: what they told was not heard for a time.
    Missed,
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    /// For reading outside of transactions.
    pub(crate) read: DatabaseConnection,
    /// For writing. With SQLite it is one connection: writers queue here in order, instead of
    /// finding the file locked.
    pub(crate) write: DatabaseConnection,
    changes: broadcast::Sender<Change>,
    /// For changes that servers on the same PostgreSQL are told.
    others: Option<mpsc::UnboundedSender<Change>>,
    replica: Arc<str>,
}

impl Store {
    /// Opens the database at `url` (`sqlite://path`, made where there is none, or `postgres://…`)
    /// and brings its schema up to date.
    ///
    /// # Guarantees
    /// Any number of processes may open one new file at once. SQLite does not call its busy
    /// handler where two connections could wait for each other, as when both switch a file to its
    /// write-ahead log: one of them is told at once that the file is locked, and must begin again.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let begun = Instant::now();
        loop {
            match Self::try_open(url).await {
                Err(error) if error.is_locked() && begun.elapsed() < WAIT => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                opened => return opened,
            }
        }
    }

    async fn try_open(url: &str) -> Result<Self, StoreError> {
        let (changes, _) = broadcast::channel(CHANGES_KEPT);
        let (read, write) = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => {
                let write = Database::connect(sqlite(url, false)).await?;
                (Database::connect(sqlite(url, true)).await?, write)
            }
            Some("postgres" | "postgresql") => {
                let pool = Database::connect(postgres(url)).await?;
                (pool.clone(), pool)
            }
            other => {
                let scheme = other.unwrap_or_default().chars().take(20).collect();
                return Err(StoreError::UnknownScheme { scheme });
            }
        };
        let mut store = Self {
            read,
            write,
            changes,
            others: None,
            replica: "".into(),
        };
        migration::migrate(&store).await?;
        if store.engine() == Engine::Postgres {
            let pool = store.read.get_postgres_connection_pool().clone();
            let others = others::start(pool, store.changes.downgrade()).await;
            let others =
                others.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?;
            store.others = Some(others);
        }
        Ok(store)
    }

    /// The same database for the replica of that name: what it holds is told from what others hold.
    ///
    /// No two processes may have one name at the same time.
    #[must_use]
    pub fn of_replica(mut self, name: &str) -> Self {
        self.replica = name.into();
        self
    }

    /// Name of the replica; empty where there is none.
    pub fn replica(&self) -> &str {
        &self.replica
    }

    /// Which database answers.
    pub fn engine(&self) -> Engine {
        match self.write.get_database_backend() {
            DbBackend::Postgres => Engine::Postgres,
            _ => Engine::Sqlite,
        }
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.read.ping().await?)
    }

    /// Changes from now on, made by this process or by another on the same PostgreSQL.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Announces a change; fine when nobody listens.
    pub(crate) fn announce(&self, change: Change) {
        if let Some(others) = &self.others {
            let _ = others.send(change.clone());
        }
        let _ = self.changes.send(change);
    }

    /// Begins a transaction that writes: SQLite takes its lock at once, so that what is read in it
    /// still holds when it writes.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.write.begin_with_options(options).await?)
    }
}

fn sqlite(url: &str, reader: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(if reader { SQLITE_READERS } else { 1 })
        .min_connections(1)
        .acquire_timeout(WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .sqlx_logging(false)
        // A file does not hang up: a ping before each statement would double its way.
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |options: SqliteConnectOptions| {
            let options = options
                .create_if_missing(!reader)
                .journal_mode(SqliteJournalMode::Wal)
                // What was answered as accepted survives a power cut, not only a killed process.
                .synchronous(SqliteSynchronous::Full)
                .statement_cache_capacity(STATEMENTS)
                .foreign_keys(true)
                .busy_timeout(WAIT);
            if reader {
                options.pragma("query_only", "ON")
            } else {
                options
            }
        });
    options
}

fn postgres(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(POSTGRES_CONNECTIONS)
        .min_connections(1)
        .acquire_timeout(WAIT)
        .sqlx_logging(false)
        .test_before_acquire_if_idle_for(TESTED_AFTER)
        .map_sqlx_postgres_opts(|options| options.statement_cache_capacity(STATEMENTS))
        .set_application_name("hermez");
    options
}
