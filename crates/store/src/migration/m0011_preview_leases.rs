//! Which replica works on a preview: its successor goes on at once.

use sea_orm::DbBackend;

/// The statements, in order; both databases speak them.
pub(super) fn up(_: DbBackend) -> Vec<String> {
    vec!["ALTER TABLE preview ADD COLUMN lease_owner TEXT".to_owned()]
}
