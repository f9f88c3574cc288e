//! What was written to the cluster last is found by when it was written.

use sea_orm::DbBackend;

/// The statements, in order; both databases speak them.
pub(super) fn up(_: DbBackend) -> Vec<String> {
    vec![
        "DROP INDEX deploy_applied".to_owned(),
        "CREATE INDEX deploy_applied ON deploy (workload_id, applied_at_ms, id) \
         WHERE applied_at_ms IS NOT NULL"
            .to_owned(),
    ]
}
