//! How new versions reach workloads' pods: canaries, waves of clusters.

use sea_orm::DbBackend;

/// The statements, in order; both databases speak them.
pub(super) fn up(_: DbBackend) -> Vec<String> {
    vec![
        "CREATE TABLE workload_strategy (workload_id BIGINT NOT NULL PRIMARY KEY \
         REFERENCES workload (id), settings TEXT NOT NULL, changed_by TEXT NOT NULL, \
         changed_at_ms BIGINT NOT NULL)"
            .to_owned(),
        // Where a deploy is on its way, as the API shows it; and up to which step of its canary
        // somebody has promoted it.
        "ALTER TABLE deploy ADD COLUMN plan TEXT".to_owned(),
        "ALTER TABLE deploy ADD COLUMN promoted BIGINT".to_owned(),
    ]
}
