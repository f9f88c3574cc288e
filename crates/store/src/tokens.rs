//! API tokens. Only the SHA-256 of a secret is ever here.

use hermez_api::{ApiToken, Page};
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationDef, Select,
};

use crate::entity::api_token::{ActiveModel, Column, Entity, Model};
use crate::entity::principal;
use crate::page::MapPage;
use crate::words::{at, maybe_at, ms};
use crate::{PageRequest, Store, StoreError, TokenRecord};

/// Name of this list in cursors.
const LIST: &str = "token";

/// A token with its owner's name.
#[derive(FromQueryResult)]
struct Row {
    #[sea_orm(nested)]
    token: Model,
    owner: String,
}

impl Row {
    fn token(self) -> Result<ApiToken, StoreError> {
        Ok(ApiToken {
            id: self.token.id.to_string(),
            name: self.token.name,
            owner: self.owner,
            created_at: at("api_token.created_at_ms", self.token.created_at_ms)?,
            last_used_at: maybe_at("api_token.last_used_at_ms", self.token.last_used_at_ms)?,
            revoked_at: maybe_at("api_token.revoked_at_ms", self.token.revoked_at_ms)?,
        })
    }
}

fn owner() -> RelationDef {
    Entity::belongs_to(principal::Entity)
        .from(Column::PrincipalId)
        .to(principal::Column::Id)
        .into()
}

fn with_owner() -> Select<Entity> {
    Entity::find()
        .join(JoinType::InnerJoin, owner())
        .column_as(principal::Column::Name, "owner")
}

impl Store {
    /// Keeps a new token.
    pub async fn create_token(
        &self,
        principal_id: i64,
        name: &str,
        hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<ApiToken, StoreError> {
        let new = ActiveModel {
            principal_id: Set(principal_id),
            name: Set(name.to_owned()),
            hash: Set(hash.to_vec()),
            created_at_ms: Set(ms(now)),
            ..Default::default()
        };
        let transaction = self.begin().await?;
        let made = Entity::insert(new).exec(&transaction).await?;
        let id = made.last_insert_id;
        self.commit_recorded(transaction).await?;
        self.token(id).await?.ok_or_else(|| missing(id))
    }

    /// The token whose secret has this hash, revoked or not.
    pub async fn token_by_hash(&self, hash: &[u8; 32]) -> Result<Option<TokenRecord>, StoreError> {
        let find = Entity::find().filter(Column::Hash.eq(hash.to_vec()));
        let Some(token) = find.one(&self.read).await? else {
            return Ok(None);
        };
        let Some(principal) = self.principal(token.principal_id).await? else {
            return Ok(None);
        };
        Ok(Some(TokenRecord {
            id: token.id,
            principal,
            last_used_at: maybe_at("api_token.last_used_at_ms", token.last_used_at_ms)?,
            revoked_at: maybe_at("api_token.revoked_at_ms", token.revoked_at_ms)?,
        }))
    }

    /// The token with this number.
    pub async fn token(&self, id: i64) -> Result<Option<ApiToken>, StoreError> {
        let find = with_owner().filter(Column::Id.eq(id)).into_model::<Row>();
        find.one(&self.read).await?.map(Row::token).transpose()
    }

    /// Tokens of `owner` (of everybody when `None`), newest first.
    pub async fn tokens(
        &self,
        owner: Option<i64>,
        page: &PageRequest,
    ) -> Result<Page<ApiToken>, StoreError> {
        let mut find = with_owner()
            .order_by_desc(Column::Id)
            .limit(page.limit() + 1);
        if let Some(owner) = owner {
            find = find.filter(Column::PrincipalId.eq(owner));
        }
        if let Some(after) = page.after_id(LIST)? {
            find = find.filter(Column::Id.lt(after));
        }
        let rows = find.into_model::<Row>().all(&self.read).await?;
        page.page(LIST, rows, |row| row.token.id)
            .try_map(Row::token)
    }

    /// Revokes a token; revoking it again changes nothing.
    pub async fn revoke_token(&self, id: i64, now: Timestamp) -> Result<ApiToken, StoreError> {
        let transaction = self.begin().await?;
        Entity::update_many()
            .col_expr(Column::RevokedAtMs, Expr::val(ms(now)))
            .filter(Column::Id.eq(id))
            .filter(Column::RevokedAtMs.is_null())
            .exec(&transaction)
            .await?;
        self.commit_recorded(transaction).await?;
        self.token(id).await?.ok_or_else(|| missing(id))
    }

    /// Notes that a token was used.
    pub async fn touch_token(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::LastUsedAtMs, Expr::val(ms(now)))
            .filter(Column::Id.eq(id))
            .exec(&self.write)
            .await?;
        Ok(())
    }
}

fn missing(id: i64) -> StoreError {
    StoreError::NotFound {
        what: "token",
        key: id.to_string(),
    }
}
