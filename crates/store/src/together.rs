//! What is kept in one transaction with the work that a request asks for: its line in the record of
//! changes, and the answer to its `Idempotency-Key`. A process that is killed has done all of it or
//! nothing, so that the same request under the same key is done once whenever it is made again.
//!
//! The asker says what belongs together around the work ([`Together::with`]); the store keeps it where
//! the work is written. Work that does not keep it leaves it to the asker to write it afterwards.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::DatabaseTransaction;

use crate::{NewAuditEntry, Store, StoreError, audit, idempotency};

tokio::task_local! {
    static CURRENT: Together;
}

/// What belongs to the work at hand. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Together(Arc<Mutex<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    entry: Option<NewAuditEntry>,
    key: Option<(i64, String)>,
}

impl Together {
    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work that was asked for by somebody (by number) under a key.
    pub fn under_key(principal_id: i64, key: &str) -> Self {
        Self(Arc::new(Mutex::new(Parts {
            key: Some((principal_id, key.to_owned())),
            entry: None,
        })))
    }

    /// A change within the work at hand, with its line for the record.
    pub fn recorded(entry: NewAuditEntry) -> Self {
        let key = Self::current().and_then(|outer| outer.parts().key.clone());
        let entry = Some(entry);
        Self(Arc::new(Mutex::new(Parts { entry, key })))
    }

    /// What belongs to the work at hand, for a task that goes on with it.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Does the work; what it keeps, it keeps together with this.
    pub async fn with<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Does work that is a part of something larger, whose line and answer are kept elsewhere.
    pub async fn apart<F: Future>(work: F) -> F::Output {
        Self::default().with(work).await
    }

    /// Whether the line is not in the record yet.
    pub fn is_unrecorded(&self) -> bool {
        self.parts().entry.is_some()
    }

    /// Keeps what belongs to the work at hand in its transaction. To be confirmed after the commit.
    pub(crate) async fn keep(
        transaction: &DatabaseTransaction,
        status: u16,
        answer: &impl serde::Serialize,
    ) -> Result<Kept, StoreError> {
        let kept = Self::keep_line(transaction).await?;
        let key = kept.0.as_ref().and_then(|it| it.parts().key.clone());
        if let Some((principal_id, key)) = key {
            let body = serde_json::to_string(answer).unwrap_or_default();
            idempotency::finish(transaction, principal_id, &key, status, &body).await?;
        }
        Ok(kept)
    }

    /// The same for its line alone: where the answer is not known yet, or there is no key for it.
    async fn keep_line(transaction: &DatabaseTransaction) -> Result<Kept, StoreError> {
        let Some(current) = Self::current() else {
            return Ok(Kept(None));
        };
        let entry = current.parts().entry.clone();
        if let Some(entry) = entry {
            audit::append(transaction, entry).await?;
        }
        Ok(Kept(Some(current)))
    }
}

impl Store {
    /// Commits a change together with its line in the record.
    pub(crate) async fn commit_recorded(
        &self,
        transaction: DatabaseTransaction,
    ) -> Result<(), StoreError> {
        let kept = Together::keep_line(&transaction).await?;
        transaction.commit().await?;
        kept.confirm();
        Ok(())
    }

    /// Commits a change together with its line in the record, and with the answer to its key.
    pub(crate) async fn commit_answered(
        &self,
        transaction: DatabaseTransaction,
        status: u16,
        answer: &impl serde::Serialize,
    ) -> Result<(), StoreError> {
        let kept = Together::keep(&transaction, status, answer).await?;
        transaction.commit().await?;
        kept.confirm();
        Ok(())
    }
}

/// What was kept in a transaction that is not committed yet.
#[must_use]
pub(crate) struct Kept(Option<Together>);

impl Kept {
    /// The transaction is committed.
    pub(crate) fn confirm(self) {
        if let Some(together) = self.0 {
            together.parts().entry = None;
        }
    }
}
