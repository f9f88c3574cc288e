//! What deploys of hotfixes were made of.

use sea_orm::DbBackend;

/// The statements, in order; both databases speak them.
pub(super) fn up(_: DbBackend) -> Vec<String> {
    // One for a deploy, written with it and never changed.
    vec![
        "CREATE TABLE hotfix (deploy_id BIGINT NOT NULL PRIMARY KEY REFERENCES deploy (id), \
         detail TEXT NOT NULL)"
            .to_owned(),
    ]
}
