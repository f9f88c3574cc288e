//! What delivery is measured by, reverts that were proposed, and pods in the timelines of deploys.

use sea_orm::DbBackend;

/// The statements, in order.
pub(super) fn up(backend: DbBackend) -> Vec<String> {
    let base = match backend {
        DbBackend::Postgres => "CAST(CAST(h.detail AS JSON) ->> 'base_deploy' AS BIGINT)",
        _ => "json_extract(h.detail, '$.base_deploy')",
    };
    vec![
        // When its commit was made; unknown of what was built before this column came.
        "ALTER TABLE artifact ADD COLUMN committed_at_ms BIGINT".to_owned(),
        // The deploy that a rollback leaves, or that a hotfix is made on.
        "ALTER TABLE deploy ADD COLUMN mends BIGINT".to_owned(),
        "UPDATE deploy SET mends = (SELECT MAX(d.id) FROM deploy d WHERE \
         d.workload_id = deploy.workload_id AND d.id < deploy.id AND d.pull_request IS NULL \
         AND d.applied_at_ms <= deploy.created_at_ms) WHERE kind = 'rollback'"
            .to_owned(),
        format!(
            "UPDATE deploy SET mends = (SELECT {base} FROM hotfix h WHERE h.deploy_id = deploy.id) \
             WHERE kind = 'hotfix'"
        ),
        "CREATE INDEX deploy_mends ON deploy (mends) WHERE mends IS NOT NULL".to_owned(),
        "CREATE INDEX deploy_created ON deploy (created_at_ms)".to_owned(),
        "CREATE INDEX deploy_commit ON deploy (workload_id, commit_id)".to_owned(),
        "CREATE TABLE deploy_revert (deploy_id BIGINT NOT NULL PRIMARY KEY REFERENCES deploy (id), \
         detail TEXT NOT NULL)"
            .to_owned(),
        "ALTER TABLE deploy_event ADD COLUMN pod TEXT".to_owned(),
        // What became of which pod: it is told once, whoever sees it again.
        "ALTER TABLE deploy_event ADD COLUMN pod_key TEXT".to_owned(),
        "CREATE UNIQUE INDEX deploy_event_pod ON deploy_event (deploy_id, pod_key) \
         WHERE pod_key IS NOT NULL"
            .to_owned(),
    ]
}
