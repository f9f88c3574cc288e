//! People and programs.

use hermez_api::{Page, Principal};
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::entity::principal::{ActiveModel, Column, Entity, Model};
use crate::page::MapPage;
use crate::words::{at, ms};
use crate::{PageRequest, PrincipalRecord, Store, StoreError};

/// What errors call a row, and the name of this list in cursors.
const WHAT: &str = "principal";

fn shown(model: Model) -> Result<Principal, StoreError> {
    Ok(Principal {
        name: model.name,
        role: model.role,
        created_at: at("principal.created_at_ms", model.created_at_ms)?,
    })
}

impl From<Model> for PrincipalRecord {
    fn from(model: Model) -> Self {
        Self {
            id: model.id,
            name: model.name,
            role: model.role,
        }
    }
}

impl Store {
    /// The principal with this number.
    pub async fn principal(&self, id: i64) -> Result<Option<PrincipalRecord>, StoreError> {
        Ok(Entity::find_by_id(id)
            .one(&self.read)
            .await?
            .map(Into::into))
    }

    /// The principal with this name.
    pub async fn principal_by_name(
        &self,
        name: &str,
    ) -> Result<Option<PrincipalRecord>, StoreError> {
        let find = Entity::find().filter(Column::Name.eq(name));
        Ok(find.one(&self.read).await?.map(Into::into))
    }

    /// Adds a principal; [`StoreError::AlreadyExists`] where the name is taken.
    pub async fn create_principal(
        &self,
        name: &str,
        role: &str,
        now: Timestamp,
    ) -> Result<Principal, StoreError> {
        let new = ActiveModel {
            name: Set(name.to_owned()),
            role: Set(role.to_owned()),
            created_at_ms: Set(ms(now)),
            ..Default::default()
        };
        let transaction = self.begin().await?;
        let made = Entity::insert(new).exec_with_returning(&transaction).await;
        match made {
            Ok(model) => {
                self.commit_recorded(transaction).await?;
                shown(model)
            }
            Err(error) if StoreError::is_unique_violation(&error) => {
                Err(StoreError::AlreadyExists {
                    what: WHAT,
                    key: name.to_owned(),
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Principals, in the order in which they were added.
    pub async fn principals(&self, page: &PageRequest) -> Result<Page<Principal>, StoreError> {
        let mut find = Entity::find()
            .order_by_asc(Column::Id)
            .limit(page.limit() + 1);
        if let Some(after) = page.after_id(WHAT)? {
            find = find.filter(Column::Id.gt(after));
        }
        let rows = find.all(&self.read).await?;
        page.page(WHAT, rows, |row| row.id).try_map(shown)
    }

    /// How many principals have this role.
    pub async fn count_principals(&self, role: &str) -> Result<u64, StoreError> {
        let find = Entity::find().filter(Column::Role.eq(role));
        Ok(find.count(&self.read).await?)
    }

    /// Names of the principals that have this role, in the order in which they were added.
    pub(crate) async fn names_with_role(&self, role: &str) -> Result<Vec<String>, StoreError> {
        let find = Entity::find()
            .select_only()
            .column(Column::Name)
            .filter(Column::Role.eq(role))
            .order_by_asc(Column::Id);
        Ok(find.into_tuple().all(&self.read).await?)
    }

    /// The principal with this name, made with `role` where there is none; its role is left alone
    /// where there is one. Safe to call at once from many places.
    pub async fn ensure_principal(
        &self,
        name: &str,
        role: &str,
        now: Timestamp,
    ) -> Result<PrincipalRecord, StoreError> {
        let new = ActiveModel {
            name: Set(name.to_owned()),
            role: Set(role.to_owned()),
            created_at_ms: Set(ms(now)),
            ..Default::default()
        };
        Entity::insert(new)
            .on_conflict_do_nothing_on([Column::Name])
            .exec_without_returning(&self.write)
            .await?;
        let find = Entity::find().filter(Column::Name.eq(name));
        find.one(&self.write)
            .await?
            .map(Into::into)
            .ok_or_else(|| StoreError::NotFound {
                what: WHAT,
                key: name.to_owned(),
            })
    }
}
