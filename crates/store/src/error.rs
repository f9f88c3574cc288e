//! What can go wrong in the database.

use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or refused the statement; trying again later may help.
    #[error("the database did not answer: {0}")]
    Database(#[source] DbErr),
    /// The URL names no database that Hermez speaks.
    #[error(
        "`{scheme}` is no database that Hermez speaks; write `sqlite://path` or `postgres://…`"
    )]
    UnknownScheme {
        /// The scheme found (never the whole URL: it may hold a password).
        scheme: String,
    },
    /// The database was written by a newer Hermez.
    #[error(
        "the database holds migration `{found}`, which this version does not know; start the newer version again, or restore a backup"
    )]
    NewerSchema {
        /// The migration that is not known.
        found: String,
    },
    /// A cursor was not given out by this list.
    #[error("this cursor was not given out by this list; leave it out to start from the beginning")]
    BadCursor,
    /// There is no such row.
    #[error("there is no {what} `{key}`")]
    NotFound {
        /// The kind of thing, for example `workload`.
        what: &'static str,
        /// What was looked for.
        key: String,
    },
    /// The name is taken by another row.
    #[error("there is already a {what} named `{key}`")]
    AlreadyExists {
        /// The kind of thing, for example `workload`.
        what: &'static str,
        /// The name that is taken.
        key: String,
    },
    /// The row was changed by somebody else since it was read.
    #[error(
        "{what} `{key}` was changed in the meantime (its version is {current} now); read it again"
    )]
    VersionMismatch {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        key: String,
        /// Its version now.
        current: i64,
    },
    /// Another process holds the lease now; what it does stands, and this write was not made.
    #[error("another process took over {what} {id}; this write was not made")]
    LeaseLost {
        /// `build` or `deploy`.
        what: &'static str,
        /// Its number.
        id: i64,
    },
    /// A row holds something that no version of Hermez wrote.
    #[error("column `{column}` holds `{value}`, which is not a known value")]
    Corrupt {
        /// The column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl StoreError {
    /// Whether the statement broke a unique constraint.
    pub(crate) fn is_unique_violation(error: &DbErr) -> bool {
        matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
    }

    /// Whether SQLite found the file locked by another connection.
    pub(crate) fn is_locked(&self) -> bool {
        let Self::Database(DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error)) = self
        else {
            return false;
        };
        let RuntimeErr::SqlxError(error) = error else {
            return false;
        };
        let Some(error) = error.as_database_error() else {
            return false;
        };
        let code = error.code();
        // An extended code holds the primary one in its lowest byte: SQLITE_BUSY, SQLITE_LOCKED.
        let code = code.and_then(|code| code.parse::<u32>().ok());
        code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Database(_))
    }
}
