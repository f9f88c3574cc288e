//! Every table as SeaORM sees it. What the rest of Hermez sees stands in `records`.
//!
//! Times are milliseconds since the epoch, states are the API's words, lists are JSON text: the
//! same in both databases.
#![allow(missing_docs)] // SeaORM's derives make items of their own; the columns' meaning stands in `records`.

/// People and programs.
pub mod principal {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "principal")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
        pub role: String,
        pub created_at_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// API tokens, by the hash of their secret.
pub mod api_token {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "api_token")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub principal_id: i64,
        pub name: String,
        pub hash: Vec<u8>,
        pub created_at_ms: i64,
        pub last_used_at_ms: Option<i64>,
        pub revoked_at_ms: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Browser sessions, by the hash of their secret.
pub mod session {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "session")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub principal_id: i64,
        pub hash: Vec<u8>,
        pub created_at_ms: i64,
        pub last_used_at_ms: i64,
        pub expires_at_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Login links, by the hash of their code.
pub mod login_link {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "login_link")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub principal_id: i64,
        pub hash: Vec<u8>,
        pub created_at_ms: i64,
        pub expires_at_ms: i64,
        pub used_at_ms: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The record of changes; append-only by triggers.
pub mod audit_entry {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_entry")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub at_ms: i64,
        pub principal: String,
        pub action: String,
        pub target: String,
        pub outcome: String,
        pub detail: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Mirrored repositories.
pub mod repository {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "repository")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub identity: String,
        pub url: String,
        pub sealed_credential: Option<Vec<u8>>,
        pub default_branch: Option<String>,
        pub created_at_ms: i64,
        pub fetched_at_ms: Option<i64>,
        pub error: Option<String>,
        pub webhook: String,
        pub webhook_reason: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Workloads.
pub mod workload {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "workload")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
        pub kind: String,
        pub category: String,
        pub project: String,
        pub namespace: String,
        pub repository_id: i64,
        pub config_path: String,
        pub version: i64,
        pub created_at_ms: i64,
        pub created_by: String,
        pub deleted_at_ms: Option<i64>,
        pub auto_deploy: Option<String>,
        pub pinned_by: Option<String>,
        pub pinned_at_ms: Option<i64>,
        pub pin_reason: Option<String>,
        pub pin_deploy_id: Option<i64>,
        pub scale_min: i32,
        pub scale_max: i32,
        pub auto_preview: bool,
        pub preview_replicas: i32,
        pub preview_idle_minutes: i32,
        pub preview_expiry_days: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Builds: one for a commit of a workload.
pub mod build {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "build")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub workload_id: i64,
        pub commit_id: String,
        pub title: String,
        pub state: String,
        pub attempt: i32,
        pub requested_by: String,
        pub created_at_ms: i64,
        pub due_at_ms: i64,
        pub started_at_ms: Option<i64>,
        pub finished_at_ms: Option<i64>,
        pub error: Option<String>,
        pub hint: Option<String>,
        pub message: String,
        pub cancel_requested: bool,
        pub waits: i32,
        pub lease_owner: Option<String>,
        pub lease_until_ms: Option<i64>,
        pub fence: i64,
        pub log_seq: i64,
        pub log_bytes: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Steps of a build's present try.
pub mod build_step {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "build_step")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub build_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        pub name: String,
        pub state: String,
        pub started_at_ms: Option<i64>,
        pub finished_at_ms: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Lines of a build's log, of all its tries.
pub mod build_log_line {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "build_log_line")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub build_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        pub at_ms: i64,
        pub step: i32,
        pub text: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What commits became.
pub mod artifact {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "artifact")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub workload_id: i64,
        pub commit_id: String,
        pub build_id: i64,
        pub manifest: String,
        pub images: String,
        pub created_at_ms: i64,
        pub committed_at_ms: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Digests that are not to be deployed again.
pub mod bad_artifact {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "bad_artifact")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub digest: String,
        pub workload_id: i64,
        pub deploy_id: i64,
        pub commit_id: String,
        pub reason: String,
        pub marked_by: String,
        pub marked_at_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Deploys.
pub mod deploy {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deploy")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub workload_id: i64,
        pub instance: String,
        pub kind: String,
        pub state: String,
        pub commit_id: String,
        pub title: String,
        pub author: String,
        pub requested_by: String,
        pub reason: Option<String>,
        pub created_at_ms: i64,
        pub started_at_ms: Option<i64>,
        pub finished_at_ms: Option<i64>,
        pub message: String,
        pub pods_ready: i32,
        pub pods_desired: i32,
        pub build_id: Option<i64>,
        pub failure_cause: Option<String>,
        pub hint: Option<String>,
        pub cancel_requested: bool,
        pub deadline_at_ms: Option<i64>,
        pub retries: i32,
        pub lane_key: Option<String>,
        pub lease_owner: Option<String>,
        pub lease_until_ms: Option<i64>,
        pub fence: i64,
        pub event_seq: i64,
        pub manifest: Option<String>,
        pub applied_at_ms: Option<i64>,
        pub of_deploy: Option<i64>,
        pub override_reason: Option<String>,
        pub paused_by: Option<String>,
        pub applied_paused: bool,
        pub held: Option<String>,
        pub rejection: Option<String>,
        pub gate: Option<String>,
        pub verify_until_ms: Option<i64>,
        pub pull_request: Option<i64>,
        pub plan: Option<String>,
        pub promoted: Option<i64>,
        pub mends: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Timelines of deploys.
pub mod deploy_event {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deploy_event")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub deploy_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i64,
        pub at_ms: i64,
        pub state: String,
        pub message: String,
        pub pod: Option<String>,
        pub pod_key: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Receipts of deploys that failed.
pub mod deploy_receipt {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deploy_receipt")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub deploy_id: i64,
        pub evidence: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What is kept of containers that failed, while their deploy goes on.
pub mod deploy_witness {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deploy_witness")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub deploy_id: i64,
        pub containers: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Reverts that were proposed after rollbacks.
pub mod deploy_revert {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deploy_revert")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub deploy_id: i64,
        pub detail: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What deploys of hotfixes were made of.
pub mod hotfix {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "hotfix")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub deploy_id: i64,
        pub detail: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The ledger of how many pods were wanted.
pub mod scale_change {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "scale_change")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub workload_id: i64,
        pub kind: String,
        pub replicas: Option<i32>,
        pub replicas_before: Option<i32>,
        pub autoscaling: Option<String>,
        pub fixed: bool,
        pub reason: String,
        pub requested_by: String,
        pub created_at_ms: i64,
        pub until_ms: Option<i64>,
        pub state: String,
        pub message: Option<String>,
        pub due_at_ms: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Answers kept for requests that carry a key.
pub mod idempotency_key {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotency_key")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub principal_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub route: String,
        pub status: Option<i32>,
        pub body: Option<String>,
        pub begun_at_ms: i64,
        pub expires_at_ms: i64,
        pub owner: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Pushes that are not followed yet.
pub mod push {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "push")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub repository_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub branch: String,
        pub commit_id: String,
        pub received_at_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Previews of pull requests.
pub mod preview {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "preview")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub workload_id: i64,
        pub instance: String,
        pub pull_request: i64,
        pub title: String,
        pub author: String,
        pub head_commit: String,
        pub head_branch: String,
        pub from_fork: bool,
        pub forge_url: String,
        pub state: String,
        pub replicas: i32,
        pub applied_replicas: Option<i32>,
        pub port: Option<i32>,
        pub created_at_ms: i64,
        pub created_by: String,
        pub last_used_at_ms: i64,
        pub checked_at_ms: i64,
        pub waking_since_ms: Option<i64>,
        pub last_wake_ms: Option<i64>,
        pub removed_at_ms: Option<i64>,
        pub removed_why: Option<String>,
        pub share_hash: Option<String>,
        pub comment_id: Option<i64>,
        pub told: String,
        pub tries: i32,
        pub retry_at_ms: i64,
        pub settled: bool,
        pub lease_owner: Option<String>,
        pub lease_until_ms: Option<i64>,
        pub fence: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Commits of forks that a maintainer allowed.
pub mod pull_allowance {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pull_allowance")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workload_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub pull_request: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub commit_id: String,
        pub allowed_by: String,
        pub allowed_at_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// One-time tickets that let a signed-in browser into a preview, by their hash.
pub mod preview_ticket {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "preview_ticket")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: String,
        pub preview_id: i64,
        pub session_id: i64,
        pub expires_at_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Browsers that were let into a preview, by the hash of their cookie.
pub mod preview_session {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "preview_session")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: String,
        pub preview_id: i64,
        pub session_id: Option<i64>,
        pub share_hash: Option<String>,
        pub expires_at_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
