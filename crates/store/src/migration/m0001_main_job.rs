//! The tables of the main job.

use sea_orm::DbBackend;
use sea_orm::sea_query::{
    ColumnDef, ForeignKey, ForeignKeyAction, Index, IndexCreateStatement, PostgresQueryBuilder,
    SchemaStatementBuilder, SqliteQueryBuilder, Table, TableCreateStatement,
};

/// The statements, in order.
pub(super) fn up(backend: DbBackend) -> Vec<String> {
    let mut statements = Vec::new();
    for table in tables() {
        statements.push(render(backend, &table));
    }
    for index in indices() {
        statements.push(render(backend, &index));
    }
    // A deleted workload's name is free again: unique among the living only.
    statements.push(
        "CREATE UNIQUE INDEX workload_name ON workload (name) WHERE deleted_at_ms IS NULL".into(),
    );
    statements.extend(append_only(backend).iter().map(ToString::to_string));
    statements
}

fn render<S: SchemaStatementBuilder>(backend: DbBackend, statement: &S) -> String {
    match backend {
        DbBackend::Postgres => statement.to_string(PostgresQueryBuilder),
        _ => statement.to_string(SqliteQueryBuilder),
    }
}

fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().to_owned()
}
fn maybe_text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().null().to_owned()
}
fn int(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).integer().not_null().to_owned()
}
fn big(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}
fn maybe_big(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().null().to_owned()
}
fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(name)
        .boolean()
        .not_null()
        .default(false)
        .to_owned()
}
fn hash() -> ColumnDef {
    ColumnDef::new("hash")
        .blob()
        .not_null()
        .unique_key()
        .to_owned()
}

/// A table with columns, and a rising number of its own where `id`.
fn table(name: &'static str, id: bool, columns: Vec<ColumnDef>) -> TableCreateStatement {
    let mut table = Table::create().table(name).to_owned();
    if id {
        table.col(
            ColumnDef::new("id")
                .big_integer()
                .not_null()
                .auto_increment()
                .primary_key(),
        );
    }
    for column in columns {
        table.col(column);
    }
    table
}

/// A reference; rows that hold others cannot go before these, except that `cascade` takes them along.
fn refer(table: &mut TableCreateStatement, column: &'static str, to: &'static str, cascade: bool) {
    let action = if cascade {
        ForeignKeyAction::Cascade
    } else {
        ForeignKeyAction::Restrict
    };
    table.foreign_key(
        ForeignKey::create()
            .from_col(column)
            .to(to, "id")
            .on_delete(action),
    );
}

fn tables() -> Vec<TableCreateStatement> {
    let mut all = people();
    all.extend(work());
    all
}

fn people() -> Vec<TableCreateStatement> {
    let principal = table(
        "principal",
        true,
        vec![
            text("name").unique_key().to_owned(),
            text("role"),
            big("created_at_ms"),
        ],
    );
    let mut token = table(
        "api_token",
        true,
        vec![
            big("principal_id"),
            text("name"),
            hash(),
            big("created_at_ms"),
            maybe_big("last_used_at_ms"),
            maybe_big("revoked_at_ms"),
        ],
    );
    refer(&mut token, "principal_id", "principal", false);
    let mut session = table(
        "session",
        true,
        vec![
            big("principal_id"),
            hash(),
            big("created_at_ms"),
            big("last_used_at_ms"),
            big("expires_at_ms"),
        ],
    );
    refer(&mut session, "principal_id", "principal", true);
    let mut link = table(
        "login_link",
        true,
        vec![
            big("principal_id"),
            hash(),
            big("created_at_ms"),
            big("expires_at_ms"),
            maybe_big("used_at_ms"),
        ],
    );
    refer(&mut link, "principal_id", "principal", true);
    let audit = table(
        "audit_entry",
        true,
        vec![
            big("at_ms"),
            text("principal"),
            text("action"),
            text("target"),
            text("outcome"),
            text("detail"),
        ],
    );
    let mut idempotency = table(
        "idempotency_key",
        false,
        vec![
            big("principal_id"),
            text("key"),
            text("route"),
            ColumnDef::new("status").integer().null().to_owned(),
            maybe_text("body"),
            big("begun_at_ms"),
            big("expires_at_ms"),
        ],
    );
    idempotency.primary_key(Index::create().col("principal_id").col("key"));
    vec![principal, token, session, link, audit, idempotency]
}

fn work() -> Vec<TableCreateStatement> {
    let repository = table(
        "repository",
        true,
        vec![
            text("identity").unique_key().to_owned(),
            text("url"),
            ColumnDef::new("sealed_credential").blob().null().to_owned(),
            maybe_text("default_branch"),
            big("created_at_ms"),
            maybe_big("fetched_at_ms"),
            maybe_text("error"),
            text("webhook"),
            maybe_text("webhook_reason"),
        ],
    );
    let mut workload = table(
        "workload",
        true,
        vec![
            text("name"),
            text("kind"),
            text("category"),
            text("project"),
            text("namespace"),
            big("repository_id"),
            text("config_path"),
            big("version"),
            big("created_at_ms"),
            text("created_by"),
            maybe_big("deleted_at_ms"),
        ],
    );
    refer(&mut workload, "repository_id", "repository", false);
    let mut build = build();
    refer(&mut build, "workload_id", "workload", false);
    let mut step = table(
        "build_step",
        false,
        vec![
            big("build_id"),
            int("number"),
            text("name"),
            text("state"),
            maybe_big("started_at_ms"),
            maybe_big("finished_at_ms"),
        ],
    );
    step.primary_key(Index::create().col("build_id").col("number"));
    refer(&mut step, "build_id", "build", true);
    let mut line = table(
        "build_log_line",
        false,
        vec![
            big("build_id"),
            big("seq"),
            big("at_ms"),
            int("step"),
            text("text"),
        ],
    );
    line.primary_key(Index::create().col("build_id").col("seq"));
    refer(&mut line, "build_id", "build", true);
    let mut artifact = table(
        "artifact",
        true,
        vec![
            big("workload_id"),
            text("commit_id"),
            big("build_id"),
            text("manifest"),
            text("images"),
            big("created_at_ms"),
        ],
    );
    refer(&mut artifact, "workload_id", "workload", false);
    let mut deploy = deploy();
    refer(&mut deploy, "workload_id", "workload", false);
    let mut event = table(
        "deploy_event",
        false,
        vec![
            big("deploy_id"),
            big("seq"),
            big("at_ms"),
            text("state"),
            text("message"),
        ],
    );
    event.primary_key(Index::create().col("deploy_id").col("seq"));
    refer(&mut event, "deploy_id", "deploy", true);
    vec![
        repository, workload, build, step, line, artifact, deploy, event,
    ]
}

fn build() -> TableCreateStatement {
    table(
        "build",
        true,
        vec![
            big("workload_id"),
            text("commit_id"),
            text("title"),
            text("state"),
            int("attempt"),
            text("requested_by"),
            big("created_at_ms"),
            big("due_at_ms"),
            maybe_big("started_at_ms"),
            maybe_big("finished_at_ms"),
            maybe_text("error"),
            maybe_text("hint"),
            text("message"),
            flag("cancel_requested"),
            int("waits"),
            maybe_text("lease_owner"),
            maybe_big("lease_until_ms"),
            big("fence"),
            big("log_seq"),
            big("log_bytes"),
        ],
    )
}

fn deploy() -> TableCreateStatement {
    table(
        "deploy",
        true,
        vec![
            big("workload_id"),
            text("instance"),
            text("kind"),
            text("state"),
            text("commit_id"),
            text("title"),
            text("author"),
            text("requested_by"),
            maybe_text("reason"),
            big("created_at_ms"),
            maybe_big("started_at_ms"),
            maybe_big("finished_at_ms"),
            text("message"),
            int("pods_ready"),
            int("pods_desired"),
            maybe_big("build_id"),
            maybe_text("failure_cause"),
            maybe_text("hint"),
            flag("cancel_requested"),
            maybe_big("deadline_at_ms"),
            int("retries"),
            // Set while the deploy changes its instance: the unique constraint lets one at a time.
            maybe_text("lane_key").unique_key().to_owned(),
            maybe_text("lease_owner"),
            maybe_big("lease_until_ms"),
            big("fence"),
            big("event_seq"),
        ],
    )
}

/// One index for each list and look-up; unique constraints above bring their own.
fn indices() -> Vec<IndexCreateStatement> {
    let plain: &[(&str, &str, &[&str])] = &[
        ("api_token_principal", "api_token", &["principal_id", "id"]),
        ("session_expiry", "session", &["expires_at_ms"]),
        ("login_link_expiry", "login_link", &["expires_at_ms"]),
        (
            "idempotency_key_expiry",
            "idempotency_key",
            &["expires_at_ms"],
        ),
        ("audit_entry_principal", "audit_entry", &["principal", "id"]),
        ("audit_entry_action", "audit_entry", &["action", "id"]),
        ("audit_entry_target", "audit_entry", &["target", "id"]),
        ("workload_repository", "workload", &["repository_id"]),
        ("workload_project", "workload", &["project", "name"]),
        ("build_workload", "build", &["workload_id", "id"]),
        ("build_state", "build", &["state", "id"]),
        ("build_due", "build", &["state", "due_at_ms"]),
        ("deploy_workload", "deploy", &["workload_id", "id"]),
        (
            "deploy_workload_state",
            "deploy",
            &["workload_id", "state", "id"],
        ),
        ("deploy_state", "deploy", &["state", "id"]),
        ("deploy_build", "deploy", &["build_id"]),
    ];
    let unique: &[(&str, &str, &[&str])] = &[
        ("build_commit", "build", &["workload_id", "commit_id"]),
        ("artifact_commit", "artifact", &["workload_id", "commit_id"]),
    ];
    let make = |(name, table, columns): &(&'static str, &'static str, &[&'static str]), unique| {
        let mut index = Index::create().name(*name).table(*table).to_owned();
        for column in *columns {
            index.col(*column);
        }
        if unique {
            index.unique();
        }
        index
    };
    let mut all: Vec<_> = plain.iter().map(|one| make(one, false)).collect();
    all.extend(unique.iter().map(|one| make(one, true)));
    all
}

/// What makes the record of changes append-only, whoever holds the connection.
fn append_only(backend: DbBackend) -> &'static [&'static str] {
    match backend {
        DbBackend::Postgres => &[
            "CREATE FUNCTION audit_entry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'audit_entry is append-only'; END $$",
            "CREATE TRIGGER audit_entry_rows BEFORE UPDATE OR DELETE ON audit_entry \
             FOR EACH ROW EXECUTE FUNCTION audit_entry_is_append_only()",
            "CREATE TRIGGER audit_entry_table BEFORE TRUNCATE ON audit_entry \
             FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_is_append_only()",
        ],
        _ => &[
            "CREATE TRIGGER audit_entry_update BEFORE UPDATE ON audit_entry \
             BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END",
            "CREATE TRIGGER audit_entry_delete BEFORE DELETE ON audit_entry \
             BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END",
            // REPLACE would delete without asking the trigger above.
            "CREATE TRIGGER audit_entry_replace BEFORE INSERT ON audit_entry \
             WHEN EXISTS (SELECT 1 FROM audit_entry WHERE id = NEW.id) \
             BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END",
        ],
    }
}
