//! The tables of the rules as SeaORM sees them.
#![allow(missing_docs)] // As in `crate::entity`.

/// What is set for a workload or a project.
pub mod rule_set {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rule_set")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub scope: String,
        pub windows: Option<String>,
        pub approvals: Option<String>,
        pub changed_by: String,
        pub changed_at_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Freezes.
pub mod freeze {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deploy_freeze")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub project: Option<String>,
        pub from_ms: i64,
        pub until_ms: Option<i64>,
        pub reason: String,
        pub created_by: String,
        pub created_at_ms: i64,
        pub ended_at_ms: Option<i64>,
        pub ended_by: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Exceptions from freezes.
pub mod freeze_exception {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "freeze_exception")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub freeze_id: i64,
        pub workload_id: i64,
        pub deploy_id: Option<i64>,
        pub reason: String,
        pub granted_by: String,
        pub granted_at_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Locks of workloads.
pub mod workload_lock {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "workload_lock")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workload_id: i64,
        pub locked_by: String,
        pub locked_at_ms: i64,
        pub until_ms: Option<i64>,
        pub reason: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Approvals of deploys.
pub mod deploy_approval {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "deploy_approval")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub deploy_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub approved_by: String,
        pub role: String,
        pub comment: Option<String>,
        pub commit_id: String,
        pub manifest: Option<String>,
        pub approved_at_ms: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
