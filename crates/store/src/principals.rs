//! People and programs.

use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::entity::principal::{ActiveModel, Column, Entity, Model};
use crate::words::ms;
use crate::{PrincipalRecord, Store, StoreError};

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
                what: "principal",
                key: name.to_owned(),
            })
    }
}
