//! What became of pods, in the timelines of their deploys: told once, and bounded.

use std::collections::HashSet;

use hermez_api::PodChange;
use jiff::Timestamp;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use crate::deploys::{WHAT, open};
use crate::entity::deploy::{Column, Entity};
use crate::entity::deploy_event;
use crate::words::{json, ms};
use crate::{Change, Lease, Store, StoreError};

/// Most entries of one deploy that are about pods.
pub const MAX_POD_EVENTS: usize = 200;
/// Key of the entry that says that more is left out.
const REST: &str = "rest";

/// Something that became of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPodEvent {
    /// The same for the same change of the same pod: it is told once within a deploy.
    pub key: String,
    /// What became of it.
    pub change: PodChange,
    /// The same in one sentence.
    pub message: String,
}

async fn told<C: ConnectionTrait>(
    connection: &C,
    deploy_id: i64,
) -> Result<HashSet<String>, StoreError> {
    let find = deploy_event::Entity::find()
        .select_only()
        .column(deploy_event::Column::PodKey)
        .filter(deploy_event::Column::DeployId.eq(deploy_id))
        .filter(deploy_event::Column::PodKey.is_not_null());
    let keys: Vec<String> = find.into_tuple().all(connection).await?;
    Ok(keys.into_iter().collect())
}

impl Store {
    /// Keys of what a deploy's timeline tells of pods; more than [`MAX_POD_EVENTS`] of them when it
    /// takes no more.
    pub async fn told_of_pods(&self, deploy_id: i64) -> Result<HashSet<String>, StoreError> {
        told(&self.read, deploy_id).await
    }

    /// Adds what became of pods to the timeline of a leased deploy, without what it tells already.
    /// After [`MAX_POD_EVENTS`] one entry says that the rest is left out.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when somebody else holds the deploy, or it has ended.
    pub async fn tell_of_pods(
        &self,
        lease: Lease,
        events: &[NewPodEvent],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let find = Entity::find()
            .filter(Column::Id.eq(lease.id))
            .filter(Column::Fence.eq(lease.fence))
            .filter(Column::State.is_in(open()));
        let Some(deploy) = find.lock_exclusive().one(&transaction).await? else {
            let id = lease.id;
            return Err(StoreError::LeaseLost { what: WHAT, id });
        };
        let mut told = told(&transaction, lease.id).await?;
        let mut seq = deploy.event_seq;
        let mut rows = Vec::new();
        for event in events {
            if told.len() > MAX_POD_EVENTS {
                break;
            }
            if told.contains(&event.key) {
                continue;
            }
            let is_rest = told.len() == MAX_POD_EVENTS;
            let (key, pod, message) = if is_rest {
                let message = "more becomes of its pods than is kept here".to_owned();
                (REST.to_owned(), None, message)
            } else {
                let pod = json(&event.change);
                (event.key.clone(), Some(pod), event.message.clone())
            };
            seq += 1;
            told.insert(key.clone());
            rows.push(deploy_event::ActiveModel {
                deploy_id: Set(deploy.id),
                seq: Set(seq),
                at_ms: Set(ms(now)),
                state: Set(deploy.state.clone()),
                message: Set(message),
                pod: Set(pod),
                pod_key: Set(Some(key)),
            });
        }
        if rows.is_empty() {
            return Ok(());
        }
        deploy_event::Entity::insert_many(rows)
            .exec_without_returning(&transaction)
            .await?;
        Entity::update_many()
            .col_expr(Column::EventSeq, Expr::val(seq))
            .filter(Column::Id.eq(deploy.id))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        self.announce(Change::Deploy(lease.id));
        Ok(())
    }
}
