//! Changes told from server to server, where several share a PostgreSQL: by `NOTIFY` and `LISTEN`
//! (<https://www.postgresql.org/docs/current/sql-notify.html>).
//!
//! What a server announces to its own watchers it tells the others after; what it hears it announces.
//! Whoever could not be told, or could not listen for a time, hears [`Change::Missed`] instead.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgListener, PgNotification};
use sea_orm::sqlx::{Acquire, Connection, Error, PgPool, query};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::WeakSender;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::Change;

/// Where it is told.
const CHANNEL: &str = "hermez_changes";
/// Most changes that are told at once.
const TOLD_AT_ONCE: usize = 256;
/// How long after the database did not answer it is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// When nothing was heard for this long, the connection is asked for a sign of life: a peer that is
/// gone without a word would otherwise never be missed.
const QUIET: Duration = Duration::from_secs(30);
/// How long that sign may take.
const ALIVE_WITHIN: Duration = Duration::from_secs(5);

/// What is told.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    /// The server that made the change: everybody hears everything, also its own.
    from: Uuid,
    change: Change,
}

/// Begins to tell and to listen, until all handles of this store are gone. What others tell from the
/// moment on at which this returns is heard.
///
/// Takes a connection of the pool for itself.
pub async fn start(
    pool: PgPool,
    announced: WeakSender<Change>,
) -> Result<mpsc::UnboundedSender<Change>, Error> {
    let (tell_others, to_tell) = mpsc::unbounded_channel();
    let own = Uuid::new_v4();
    let listener = connect(&pool).await?;
    tokio::spawn(async move {
        tokio::select! {
            () = tell(&pool, to_tell, own) => {}
            () = listen(&pool, listener, &announced, own) => {}
        }
    });
    Ok(tell_others)
}

async fn connect(pool: &PgPool) -> Result<PgListener, Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    // Here it is told what was missed, too.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Tells until there will be nothing more to tell.
async fn tell(pool: &PgPool, mut changes: mpsc::UnboundedReceiver<Change>, own: Uuid) {
    let mut some = Vec::new();
    while changes.recv_many(&mut some, TOLD_AT_ONCE).await > 0 {
        let told = some.drain(..).map(|change| Told { from: own, change });
        let Err(error) = notify(pool, told).await else {
            continue;
        };
        tracing::warn!(%error, "other servers could not be told what changed; they will be told that they missed it");
        let missed = || {
            [Told {
                from: own,
                change: Change::Missed,
            }]
        };
        while notify(pool, missed()).await.is_err() {
            sleep(AGAIN).await;
        }
    }
}

async fn notify(pool: &PgPool, told: impl IntoIterator<Item = Told>) -> Result<(), Error> {
    let told: Vec<String> = told
        .into_iter()
        .filter_map(|told| serde_json::to_string(&told).ok())
        .collect();
    query("SELECT pg_notify($1, told) FROM unnest($2::text[]) AS told")
        .bind(CHANNEL)
        .bind(told)
        .execute(pool)
        .await?;
    Ok(())
}

/// Listens until nobody can hear any more.
async fn listen(
    pool: &PgPool,
    mut listener: PgListener,
    announced: &WeakSender<Change>,
    own: Uuid,
) {
    loop {
        let error = match hear(&mut listener).await {
            Ok(told) => {
                let Some(announced) = announced.upgrade() else {
                    return;
                };
                if let Some(change) = read(&told, own) {
                    let _ = announced.send(change);
                }
                continue;
            }
            Err(error) => error,
        };
        tracing::warn!(%error, "cannot hear what other servers change; trying again");
        listener = loop {
            sleep(AGAIN).await;
            match connect(pool).await {
                Ok(listener) => break listener,
                Err(error) => {
                    tracing::debug!(%error, "still cannot hear what other servers change");
                }
            }
        };
        let Some(announced) = announced.upgrade() else {
            return;
        };
        let _ = announced.send(Change::Missed);
    }
}

/// What is told next, or how the connection was lost.
async fn hear(listener: &mut PgListener) -> Result<PgNotification, Error> {
    loop {
        if let Ok(told) = timeout(QUIET, listener.try_recv()).await {
            return told?.ok_or_else(|| lost("the connection was closed"));
        }
        let connection = listener.acquire().await?;
        timeout(ALIVE_WITHIN, connection.ping())
            .await
            .map_err(|_| lost("the connection does not answer"))??;
    }
}

fn lost(why: &str) -> Error {
    Error::Io(std::io::Error::other(why.to_owned()))
}

/// What another server has told. What cannot be read comes from a server of another version, and
/// may be anything.
fn read(told: &PgNotification, own: Uuid) -> Option<Change> {
    match serde_json::from_str::<Told>(told.payload()) {
        Ok(told) => (told.from != own).then_some(told.change),
        Err(_) => Some(Change::Missed),
    }
}
