//! What rollbacks, restarts, pauses, pins and automatic deploys need.

use sea_orm::DbBackend;

/// The statements, in order; both databases speak them.
pub(super) fn up(_: DbBackend) -> Vec<String> {
    let columns = [
        // The manifest's reference by digest, once it is known what is to be applied.
        "deploy ADD COLUMN manifest TEXT",
        "deploy ADD COLUMN applied_at_ms BIGINT",
        "deploy ADD COLUMN of_deploy BIGINT",
        "deploy ADD COLUMN override_reason TEXT",
        "deploy ADD COLUMN paused_by TEXT",
        // Whether the manifest that was written last holds the rollout.
        "deploy ADD COLUMN applied_paused BOOLEAN NOT NULL DEFAULT FALSE",
        "workload ADD COLUMN auto_deploy TEXT",
        "workload ADD COLUMN pinned_by TEXT",
        "workload ADD COLUMN pinned_at_ms BIGINT",
        "workload ADD COLUMN pin_reason TEXT",
        "workload ADD COLUMN pin_deploy_id BIGINT",
    ];
    let mut statements: Vec<String> = columns
        .iter()
        .map(|column| format!("ALTER TABLE {column}"))
        .collect();
    let more = [
        "CREATE TABLE bad_artifact (digest TEXT NOT NULL PRIMARY KEY, \
         workload_id BIGINT NOT NULL REFERENCES workload (id), deploy_id BIGINT NOT NULL, \
         commit_id TEXT NOT NULL, reason TEXT NOT NULL, marked_by TEXT NOT NULL, \
         marked_at_ms BIGINT NOT NULL)",
        // What ran before this version came can be rolled back to, too.
        "UPDATE deploy SET applied_at_ms = started_at_ms, manifest = (SELECT a.manifest FROM \
         artifact a WHERE a.workload_id = deploy.workload_id AND a.commit_id = deploy.commit_id) \
         WHERE state IN ('succeeded', 'rolling_out')",
        "CREATE INDEX deploy_applied ON deploy (workload_id, id) WHERE applied_at_ms IS NOT NULL",
    ];
    statements.extend(more.map(str::to_owned));
    statements
}
