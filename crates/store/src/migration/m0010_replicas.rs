//! Which replica works on a request that carries a key, and pushes that are not followed yet.

use sea_orm::DbBackend;

/// The statements, in order; both databases speak them.
pub(super) fn up(_: DbBackend) -> Vec<String> {
    vec![
        "ALTER TABLE idempotency_key ADD COLUMN owner TEXT".to_owned(),
        "CREATE TABLE push (repository_id BIGINT NOT NULL REFERENCES repository (id), \
         branch TEXT NOT NULL, commit_id TEXT NOT NULL, received_at_ms BIGINT NOT NULL, \
         PRIMARY KEY (repository_id, branch))"
            .to_owned(),
    ]
}
