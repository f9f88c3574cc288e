//! What is kept of containers that failed, while their deploy goes on.

use sea_orm::DbBackend;

/// The statements, in order; both databases speak them.
pub(super) fn up(_: DbBackend) -> Vec<String> {
    // One for a deploy in which something failed; it goes when the deploy ends.
    vec![
        "CREATE TABLE deploy_witness (deploy_id BIGINT NOT NULL PRIMARY KEY \
         REFERENCES deploy (id) ON DELETE CASCADE, containers TEXT NOT NULL)"
            .to_owned(),
    ]
}
