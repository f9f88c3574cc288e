//! Migrations: applied in order, each once, all or nothing.
//!
//! A migration is a function that gives statements for the database at hand. It is never changed
//! once released; the next change is the next file. SeaORM's own migrator is left out: it brings a
//! second schema library and a CLI, and takes no lock, so that two servers starting at once on one
//! PostgreSQL would race. This one runs everything in one transaction under one lock.

mod m0001_main_job;
mod m0002_deploys;
mod m0003_receipts;
mod m0004_scale;
mod m0005_previews;
mod m0006_rules;
mod m0007_hotfixes;
mod m0008_delivery;
mod m0009_strategies;
mod m0010_replicas;
mod m0011_preview_leases;
mod m0012_witness;
mod m0013_written;

use sea_orm::sea_query::{Alias, ColumnDef, Expr, Query, Table};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use crate::{Store, StoreError};

/// One change of the schema.
struct Migration {
    /// Unique and rising name.
    name: &'static str,
    /// The statements, in order.
    up: fn(DbBackend) -> Vec<String>,
}

/// All migrations, oldest first.
const ALL: &[Migration] = &[
    Migration {
        name: "0001_main_job",
        up: m0001_main_job::up,
    },
    Migration {
        name: "0002_deploys",
        up: m0002_deploys::up,
    },
    Migration {
        name: "0003_receipts",
        up: m0003_receipts::up,
    },
    Migration {
        name: "0004_scale",
        up: m0004_scale::up,
    },
    Migration {
        name: "0005_previews",
        up: m0005_previews::up,
    },
    Migration {
        name: "0006_rules",
        up: m0006_rules::up,
    },
    Migration {
        name: "0007_hotfixes",
        up: m0007_hotfixes::up,
    },
    Migration {
        name: "0008_delivery",
        up: m0008_delivery::up,
    },
    Migration {
        name: "0009_strategies",
        up: m0009_strategies::up,
    },
    Migration {
        name: "0010_replicas",
        up: m0010_replicas::up,
    },
    Migration {
        name: "0011_preview_leases",
        up: m0011_preview_leases::up,
    },
    Migration {
        name: "0012_witness",
        up: m0012_witness::up,
    },
    Migration {
        name: "0013_written",
        up: m0013_written::up,
    },
];

/// PostgreSQL's advisory lock of the migrations ("hermez" in ASCII).
const LOCK: i64 = 0x68_65_72_6d_65_7a;

/// Table in which the applied migrations are noted.
const TABLE: &str = "schema_migration";

/// Brings the schema up to date; safe to call from several servers at once.
pub(crate) async fn migrate(store: &Store) -> Result<(), StoreError> {
    let transaction = store.begin().await?;
    let backend = transaction.get_database_backend();
    if backend == DbBackend::Postgres {
        transaction
            .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})"))
            .await?;
    }
    let table = Table::create()
        .table(Alias::new(TABLE))
        .if_not_exists()
        .col(ColumnDef::new("name").text().not_null().primary_key())
        .to_owned();
    transaction.execute(&table).await?;
    let applied = applied(&transaction).await?;
    if let Some(unknown) = applied
        .iter()
        .find(|name| ALL.iter().all(|m| m.name != **name))
    {
        return Err(StoreError::NewerSchema {
            found: unknown.clone(),
        });
    }
    for migration in ALL
        .iter()
        .filter(|m| !applied.iter().any(|name| name == m.name))
    {
        for statement in (migration.up)(backend) {
            transaction.execute_unprepared(&statement).await?;
        }
        let note = Query::insert()
            .into_table(TABLE)
            .columns(["name"])
            .values_panic([Expr::val(migration.name)])
            .to_owned();
        transaction.execute(&note).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Names of the migrations that were applied.
async fn applied(transaction: &DatabaseTransaction) -> Result<Vec<String>, StoreError> {
    let select = Query::select().column("name").from(TABLE).to_owned();
    let rows = transaction.query_all(&select).await?;
    Ok(rows
        .iter()
        .map(|row| row.try_get_by::<String, _>("name"))
        .collect::<Result<_, _>>()?)
}
