//! What failed deploys leave.

use sea_orm::DbBackend;

/// The statements, in order; both databases speak them.
pub(super) fn up(_: DbBackend) -> Vec<String> {
    // One for a deploy, written with the state `failed` and never changed.
    vec![
        "CREATE TABLE deploy_receipt (deploy_id BIGINT NOT NULL PRIMARY KEY REFERENCES deploy (id), \
         evidence TEXT NOT NULL)"
            .to_owned(),
    ]
}
