//! What holds deploys back: windows, freezes, approvals and locks; and what new versions must pass.

use sea_orm::DbBackend;

/// The statements, in order.
pub(super) fn up(backend: DbBackend) -> Vec<String> {
    let id = match backend {
        DbBackend::Postgres => "id BIGSERIAL NOT NULL PRIMARY KEY",
        _ => "id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT",
    };
    vec![
        // The rule that a waiting deploy was seen to wait for, as the API shows it.
        "ALTER TABLE deploy ADD COLUMN held TEXT".to_owned(),
        "ALTER TABLE deploy ADD COLUMN rejection TEXT".to_owned(),
        // The gates that it was begun with and how the old version did, and when they are passed.
        "ALTER TABLE deploy ADD COLUMN gate TEXT".to_owned(),
        "ALTER TABLE deploy ADD COLUMN verify_until_ms BIGINT".to_owned(),
        "CREATE TABLE workload_gate (workload_id BIGINT NOT NULL PRIMARY KEY \
         REFERENCES workload (id), settings TEXT NOT NULL, changed_by TEXT NOT NULL, \
         changed_at_ms BIGINT NOT NULL)"
            .to_owned(),
        // Of a workload (`workload/NUMBER`) or of a project (`project/NAME`).
        "CREATE TABLE rule_set (scope TEXT NOT NULL PRIMARY KEY, windows TEXT, approvals TEXT, \
         changed_by TEXT NOT NULL, changed_at_ms BIGINT NOT NULL)"
            .to_owned(),
        format!(
            "CREATE TABLE deploy_freeze ({id}, project TEXT, from_ms BIGINT NOT NULL, until_ms BIGINT, \
             reason TEXT NOT NULL, created_by TEXT NOT NULL, created_at_ms BIGINT NOT NULL, \
             ended_at_ms BIGINT, ended_by TEXT)"
        ),
        "CREATE INDEX deploy_freeze_open ON deploy_freeze (id) WHERE ended_at_ms IS NULL"
            .to_owned(),
        format!(
            "CREATE TABLE freeze_exception ({id}, freeze_id BIGINT NOT NULL REFERENCES deploy_freeze (id), \
             workload_id BIGINT NOT NULL REFERENCES workload (id), deploy_id BIGINT, \
             reason TEXT NOT NULL, granted_by TEXT NOT NULL, granted_at_ms BIGINT NOT NULL)"
        ),
        "CREATE INDEX freeze_exception_of ON freeze_exception (freeze_id)".to_owned(),
        "CREATE TABLE workload_lock (workload_id BIGINT NOT NULL PRIMARY KEY \
         REFERENCES workload (id), locked_by TEXT NOT NULL, locked_at_ms BIGINT NOT NULL, \
         until_ms BIGINT, reason TEXT NOT NULL)"
            .to_owned(),
        // Once for a person; for exactly this commit and, once it is known, this manifest.
        "CREATE TABLE deploy_approval (deploy_id BIGINT NOT NULL REFERENCES deploy (id), \
         approved_by TEXT NOT NULL, role TEXT NOT NULL, comment TEXT, commit_id TEXT NOT NULL, \
         manifest TEXT, approved_at_ms BIGINT NOT NULL, PRIMARY KEY (deploy_id, approved_by))"
            .to_owned(),
    ]
}
