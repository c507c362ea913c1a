//! Destinations, and their names, which are unique. To delete one, only the name and version of its row are read. Their
//! health has rows of its own ([`super::health`]), which are read together with them.
//!
//! Invariant: a destination can be paused, changed and deleted however often its health changes meanwhile (tests: the
//! contract suite `health`).

mod change;
mod row;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem, Update};
use domain::destination::Destination;
use domain::value::{AccountId, DestinationId, Label, SubscriptionId};
use ports::{
    CreatedDestination, DeletedDestination, Destinations, FindDestination, Order, PortError, PortResult,
    UpdatedDestination,
};
use serde::Deserialize;

use self::change::Change;
pub(super) use self::row::DestinationRow;
use super::bulk::Fields;
use super::keys::Key;
use super::rows::{key_of, read, to_item};
use super::stored_health::health_in;
use super::transactions::{Count, NameRow};
use super::{DynamoStore, as_item, keys};
use crate::aws::{build_error, port_error};

/// A destination and its health are read consistently, so that after a change the new state is seen.
const ANEW: Fields = Fields { expression: None, state: None, consistent: true };

/// The part of a row that is needed to delete it.
#[derive(Deserialize)]
struct NamedRow {
    name: String,
    version: u64,
}

/// The part of a row with the progress of the search for subscriptions to delete with the destination.
#[derive(Deserialize)]
struct SearchedRow {
    #[serde(default)]
    searched: Option<SubscriptionId>,
}

#[async_trait]
impl FindDestination for DynamoStore {
    async fn find_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        let keys = [keys::destination(account, id), keys::health(account, id)];
        let (health, row): (Vec<_>, Vec<_>) =
            self.get_items(&keys, ANEW).await?.into_iter().partition(|item| key_of(item).sk == keys::HEALTH);
        let Some(row) = row.into_iter().next() else { return Ok(None) };
        let destination: Destination = read::<DestinationRow, _>(row)?;
        Ok(Some(match health.into_iter().next() {
            Some(item) => destination.with_health(health_in(item)),
            None => destination,
        }))
    }
}

impl DynamoStore {
    /// Destinations of a list, with their health.
    async fn with_healths(&self, account: &AccountId, mut listed: Vec<Destination>) -> PortResult<Vec<Destination>> {
        let mut healths = self.healths(account, listed.iter().map(|one| &one.id)).await?;
        for destination in &mut listed {
            if let Some(health) = healths.remove(&keys::health(account, &destination.id).pk) {
                destination.health = health;
            }
        }
        Ok(listed)
    }
}

#[async_trait]
impl Destinations for DynamoStore {
    async fn create_destination(&self, destination: &Destination, most: u32) -> PortResult<CreatedDestination> {
        let (account, id) = (&destination.account, &destination.id);
        let mut row = DestinationRow::from(destination);
        row.subscriptions = Some(0);
        let parts = vec![
            self.count_part(account, &[count_one(1, most)])?,
            self.take_name_part(keys::destination_name(account, destination.settings.name.as_str()), id.as_str())?,
            self.put_part(to_item(keys::destination(account, id), &row)?)?,
        ];
        match self.transact(parts).await?.as_slice() {
            [] => Ok(CreatedDestination::Created),
            [0, ..] => self.limit_reached(account).await.map(|()| CreatedDestination::LimitReached),
            [1, ..] => Ok(CreatedDestination::NameTaken),
            _ => Err(PortError::transient("creating a destination", "its random id is taken")),
        }
    }

    async fn update_destination(&self, before: &Destination, after: &Destination) -> PortResult<UpdatedDestination> {
        let (account, id) = (&before.account, &before.id);
        let mut parts = vec![self.replace_destination_part(before, after)?];
        if before.health != after.health {
            parts.push(self.replace_health_part(before, after)?);
        }
        let of_both = parts.len();
        if before.settings.name != after.settings.name {
            let [before, after] =
                [before, after].map(|one| keys::destination_name(account, one.settings.name.as_str()));
            parts.push(self.take_name_part(after, id.as_str())?);
            parts.push(self.delete_part(before, false)?);
        }
        match self.transact(parts).await?.as_slice() {
            [] => Ok(UpdatedDestination::Updated),
            [first, ..] if *first < of_both => Ok(UpdatedDestination::Changed),
            _ => Ok(UpdatedDestination::NameTaken),
        }
    }

    async fn find_destination_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<DestinationId>> {
        let row = self.get::<NameRow, NameRow>(keys::destination_name(account, name.as_str())).await?;
        let id = row.map(|row| row.id.parse()).transpose();
        id.map_err(|error| PortError::permanent("reading a name's row", error))
    }

    async fn list_destinations(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>> {
        let after = after.map(|id| keys::destination(account, id));
        let listed = self.query_account::<DestinationRow, _>(account, keys::DESTINATIONS, order, after, limit).await?;
        self.with_healths(account, listed).await
    }

    async fn list_settings(
        &self,
        account: &AccountId,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>> {
        let after = after.map(|id| keys::destination(account, id));
        self.query_account::<DestinationRow, _>(account, keys::DESTINATIONS, Order::OldestFirst, after, limit).await
    }

    async fn delete_destination(
        &self,
        account: &AccountId,
        id: &DestinationId,
        version: Option<u64>,
    ) -> PortResult<DeletedDestination> {
        let key = keys::destination(account, id);
        let find = || self.get::<NamedRow, NamedRow>(key.clone());
        let Some(found) = find().await? else { return Ok(DeletedDestination::NotFound) };
        if version.is_some_and(|version| version != found.version) {
            return Ok(DeletedDestination::Changed);
        }
        let parts = vec![
            self.delete_unused_part(key.clone(), &found)?,
            self.delete_part(keys::destination_name(account, &found.name), false)?,
            self.count_part(account, &[count_one(-1, 0)])?,
            self.delete_part(keys::roll_up(account, id), false)?,
            self.delete_part(keys::pace(account, id), false)?,
            self.delete_part(keys::health(account, id), false)?,
        ];
        if self.transact(parts).await?.is_empty() {
            return Ok(DeletedDestination::Deleted);
        }
        match find().await? {
            None => Ok(DeletedDestination::NotFound),
            Some(now) if now.version == found.version => Ok(DeletedDestination::InUse),
            Some(_) if version.is_some() => Ok(DeletedDestination::Changed),
            Some(_) => Err(PortError::transient("deleting a destination", "it was changed in the meantime")),
        }
    }

    async fn find_searched(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<SubscriptionId>> {
        let row = self.get::<SearchedRow, SearchedRow>(keys::destination(account, id)).await?;
        Ok(row.and_then(|row| row.searched))
    }

    async fn note_searched(
        &self,
        account: &AccountId,
        id: &DestinationId,
        after: Option<&SubscriptionId>,
    ) -> PortResult<()> {
        let call = self.client.update_item().table_name(&self.table);
        let call = call.set_key(Some(as_item(keys::destination(account, id))));
        let call = call.condition_expression("attribute_exists(pk)");
        let call = match after {
            Some(after) => call
                .update_expression("SET searched = :after")
                .expression_attribute_values(":after", AttributeValue::S(after.to_string())),
            None => call.update_expression("REMOVE searched"),
        };
        match call.send().await {
            Err(error) if !matches!(error.as_service_error(), Some(ConditionalCheckFailedException(_))) => {
                Err(port_error("recording a search's progress", error))
            }
            _ => Ok(()),
        }
    }
}

fn count_one(by: i64, most: u32) -> Count {
    Count { of: "destinations", by, most: most.into() }
}

impl DynamoStore {
    /// Writes every field of `after` except the number of subscriptions, if the row still has the version of `before`.
    fn replace_destination_part(&self, before: &Destination, after: &Destination) -> PortResult<TransactWriteItem> {
        let change = Change::of(before, after)?;
        let update = Update::builder().table_name(&self.table).set_key(Some(as_item(change.key)));
        let update = update.update_expression(change.update).condition_expression(change.condition);
        let update = update.set_expression_attribute_names(Some(change.names));
        let update = update.set_expression_attribute_values(Some(change.values)).build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Deletes the row if no subscription uses it and it still has the version that was read. Then its name is the one
    /// to release.
    fn delete_unused_part(&self, key: Key, found: &NamedRow) -> PortResult<TransactWriteItem> {
        let delete = Delete::builder().table_name(&self.table).set_key(Some(as_item(key)));
        let delete = delete.condition_expression("subscriptions = :none AND version = :found");
        let delete = delete.expression_attribute_values(":none", AttributeValue::N("0".into()));
        let delete = delete.expression_attribute_values(":found", AttributeValue::N(found.version.to_string()));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(build_error)?).build())
    }
}
