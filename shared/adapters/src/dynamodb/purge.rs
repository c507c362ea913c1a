//! Deletes every row of an account, one kind after another. A row through which others are found is deleted after them.
//!
//! Keys suffice: a row can be deleted without being understood. A row through which others are found contains their
//! ids; ids that cannot be read are skipped.
//!
//! | kind | found through |
//! |---|---|
//! | API keys, page sessions | the account's partition |
//! | subscriptions, with their copies in the buckets | the account's partition |
//! | deliveries | the destinations, and what events owed (to destinations that were deleted earlier) |
//! | events, with the further rows of what they owe | the index of the account's events |
//! | destinations, with their health and turns | the account's partition |
//! | health and turns that were written while a destination was being deleted | what events owed |
//! | everything else: names, runs remembered, places seen | the account's partition |
//! | the note that events named it before it was registered | its id |
//!
//! Notes of rejected events are not deleted. They are stored by day, and name an account that nobody has checked. They
//! expire after 14 days.
//!
//! A new kind of row must be in the account's partition or be added here.
//!
//! Invariant: a deletion leaves no row of its account and touches no other account (tests: the contract suite `purge`,
//! `deleting_an_account_refuses_its_keys_at_once_and_leaves_no_row_of_it`), whether its rows can be read or not (tests:
//! `a_purge_deletes_what_cannot_be_read_with_all_it_leads_to`).

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, TransactWriteItem, WriteRequest};
use domain::delivery::{Job, Lease};
use domain::destination::Destination;
use domain::value::{AccountId, DeliveryId, DestinationId};
use ports::{AccountPurge, DestinationHealth, Destinations, Held, Order, PortError, PortResult, Purged};

use super::bulk::Fields;
use super::keys::Key;
use super::rows::key_of;
use super::subscriptions::Leads;
use super::{DynamoStore, Item, as_item, keys};
use crate::aws::{build_error, port_error};

/// How many rows one batch call can delete, a limit of the service.
const BATCH: usize = 25;
/// How many events are purged together. Each may owe any number of deliveries, and have rows of up to 400 KiB.
const EVENTS: usize = 25;
/// How many subscriptions are purged together. Each has copies in up to 20 buckets.
const SUBSCRIPTIONS: usize = 25;
/// How many destinations are listed together.
const DESTINATIONS: usize = 100;
/// How often a change that conflicted with another one is tried again, or the rest of a batch is sent again.
const TRIES: u32 = 6;

/// The part that is read of a row to delete: its key, and what leads to other rows.
const READ: &str = "pk, sk, owed, settings";

/// Whether a row exists.
const EXISTING: Fields = Fields { expression: Some("pk, sk"), state: None, consistent: true };

/// The destinations that an event's row owes deliveries to; empty for other rows.
fn owed_to(row: &Item) -> impl Iterator<Item = DestinationId> {
    let owed = row.get("owed").and_then(|owed| owed.as_l().ok()).into_iter().flatten();
    let ids = owed.filter_map(|one| one.as_m().ok()?.get("id")?.as_s().ok()?.parse::<DeliveryId>().ok());
    ids.map(|id| id.destination())
}

/// The copies of a subscription.
fn copies(account: &AccountId, row: &Item) -> Vec<Key> {
    let settings = row.get("settings").and_then(|settings| settings.as_s().ok());
    Leads::of(account, &key_of(row).sk, settings.map_or("", String::as_str)).copies
}

#[async_trait]
impl AccountPurge for DynamoStore {
    /// A destination that cannot be read is not closed: nothing can be sent to it either.
    async fn close_destinations(&self, account: &AccountId) -> PortResult<u64> {
        let (mut closed, mut after) = (0, None);
        loop {
            let found = self.list_destinations(account, Order::OldestFirst, after.as_ref(), DESTINATIONS).await?;
            for destination in &found {
                if self.close_destination(destination).await? {
                    closed += 1;
                }
            }
            match found.last() {
                Some(last) if found.len() == DESTINATIONS => after = Some(last.id.clone()),
                _ => return Ok(closed),
            }
        }
    }

    async fn purge_account(&self, account: &AccountId, limit: usize) -> PortResult<Purged> {
        let own = keys::account_pk(account);
        for tokens in [keys::API_KEYS, keys::SESSIONS] {
            let found = self.rows_of(&own, tokens, limit).await?;
            if !found.is_empty() {
                return self.purge(&found).await;
            }
        }
        let found = self.rows_of(&own, keys::SUBSCRIPTIONS, SUBSCRIPTIONS).await?;
        if !found.is_empty() {
            let copies = self.delete_all(found.iter().flat_map(|row| copies(account, row)).collect()).await?;
            return Ok(Purged {
                deleted: copies + self.delete_all(found.iter().map(key_of).collect()).await?,
                more: true,
            });
        }
        let events = self.event_partitions(account, EVENTS).await?;
        if !events.is_empty() {
            return self.purge_events(account, events, limit).await;
        }
        let found = self.rows_of(&own, keys::DESTINATIONS, limit).await?;
        if !found.is_empty() {
            return self.purge_destinations(account, &found, limit).await;
        }
        // One more than `limit`, because the account's own row is among them.
        let found = self.rows_of(&own, "", limit.saturating_add(1)).await?;
        let last = keys::account(account);
        self.purge(&found.into_iter().filter(|row| key_of(row) != last).collect::<Vec<_>>()).await
    }

    async fn end_deletion(&self, account: &AccountId, job: &Job, lease: &Lease) -> PortResult<Held> {
        let mut parts = self.ended_job_parts(job, lease)?;
        for key in [keys::account(account), keys::listed_account(account)] {
            parts.push(self.delete_marked_part(key, job)?);
        }
        parts.push(self.delete_part(keys::unregistered(account), false)?);
        let refused = self.transact(parts).await?;
        Ok(if refused.is_empty() { Held::Held } else { Held::Lost })
    }
}

impl DynamoStore {
    /// Closes the destination; returns whether it was open.
    async fn close_destination(&self, listed: &Destination) -> PortResult<bool> {
        let mut found = Some(listed.clone());
        for _ in 0..TRIES {
            let Some(destination) = found else { return Ok(false) };
            let Some(closed) = destination.health.closed() else { return Ok(false) };
            if self.update_health(&destination, &closed).await? {
                return Ok(true);
            }
            found = self.find_destination_anew(&listed.account, &listed.id).await?;
        }
        Err(PortError::transient("closing a destination", "others kept changing it at the same time"))
    }

    async fn purge(&self, rows: &[Item]) -> PortResult<Purged> {
        let deleted = self.delete_all(rows.iter().map(key_of).collect()).await?;
        Ok(Purged { deleted, more: deleted > 0 })
    }

    /// Deletes the deliveries of all destinations that these events owed something, and then the events.
    async fn purge_events(&self, account: &AccountId, events: Vec<String>, limit: usize) -> PortResult<Purged> {
        let mut rows = Vec::new();
        for pk in &events {
            rows.extend(self.rows_of(pk, "", usize::MAX).await?);
        }
        let destinations: BTreeSet<_> = rows.iter().flat_map(owed_to).collect();
        let deliveries = self.purge_deliveries(account, destinations.clone(), limit).await?;
        if deliveries.more {
            return Ok(deliveries);
        }
        self.forget_gone(account, &destinations).await?;
        // The rows that an event's own row refers to are deleted before it.
        let (events, further) = rows.iter().map(key_of).partition(|key| key.sk == keys::EVENT);
        let mut deleted = deliveries.deleted + self.delete_all(further).await?;
        deleted += self.delete_all(events).await?;
        Ok(Purged { deleted, more: true })
    }

    /// Deletes the deliveries of these destinations, and then the destinations.
    async fn purge_destinations(&self, account: &AccountId, rows: &[Item], limit: usize) -> PortResult<Purged> {
        let ids: BTreeSet<DestinationId> =
            rows.iter().filter_map(|row| key_of(row).sk.strip_prefix(keys::DESTINATIONS)?.parse().ok()).collect();
        let deliveries = self.purge_deliveries(account, ids.clone(), limit).await?;
        if deliveries.more {
            return Ok(deliveries);
        }
        // Without the row of its health, a destination would no longer be closed.
        for id in &ids {
            let together = [keys::destination(account, id), keys::health(account, id), keys::pace(account, id)];
            self.transact(together.map(|key| self.delete_part(key, false)).into_iter().collect::<PortResult<_>>()?)
                .await?;
        }
        // Rows whose ids cannot be read are left.
        let deleted = self.delete_all(rows.iter().map(key_of).collect()).await?;
        Ok(Purged { deleted: deliveries.deleted + deleted, more: true })
    }

    /// Deletes what may have been written about destinations while they were being deleted.
    async fn forget_gone(&self, account: &AccountId, destinations: &BTreeSet<DestinationId>) -> PortResult<()> {
        let rows: Vec<_> = destinations.iter().map(|id| keys::destination(account, id)).collect();
        let there = self.get_items(&rows, EXISTING).await?;
        let there: BTreeSet<_> = there.iter().map(|item| key_of(item).sk).collect();
        let gone = destinations.iter().filter(|id| !there.contains(&keys::destination(account, id).sk));
        let left = gone.flat_map(|id| [keys::health(account, id), keys::pace(account, id)]);
        self.delete_all(left.collect()).await.map(drop)
    }

    /// Deletes deliveries of these destinations; `more` says that there may be others.
    async fn purge_deliveries(
        &self,
        account: &AccountId,
        destinations: BTreeSet<DestinationId>,
        limit: usize,
    ) -> PortResult<Purged> {
        let mut deleted = 0;
        for destination in destinations {
            let found = self.rows_of(&keys::deliveries_pk(account, &destination), "", limit).await?;
            let full = found.len() >= limit;
            deleted += self.delete_all(found.iter().map(key_of).collect()).await?;
            if full {
                return Ok(Purged { deleted, more: true });
            }
        }
        Ok(Purged { deleted, more: false })
    }

    /// Up to `limit` rows of a partition whose sort key begins with `prefix`, read consistently.
    async fn rows_of(&self, pk: &str, prefix: &str, limit: usize) -> PortResult<Vec<Item>> {
        let (mut found, mut start) = (Vec::new(), None);
        loop {
            let call = self.client.query().table_name(&self.table).consistent_read(true);
            let call = call.set_limit(i32::try_from(limit - found.len()).ok()).set_exclusive_start_key(start);
            let call = call.projection_expression(READ);
            let call = call.expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()));
            let call = if prefix.is_empty() {
                call.key_condition_expression("pk = :pk")
            } else {
                let call = call.key_condition_expression("pk = :pk AND begins_with(sk, :prefix)");
                call.expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
            };
            let page = call.send().await.map_err(|error| port_error("listing rows to delete", error))?;
            found.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() || found.len() >= limit {
                return Ok(found);
            }
        }
    }

    /// Partitions of the account's events, found through the index. A partition that was just deleted may still be
    /// among them.
    async fn event_partitions(&self, account: &AccountId, limit: usize) -> PortResult<Vec<String>> {
        let call = self.client.query().table_name(&self.table).index_name(keys::EVENTS_BY_ACCOUNT);
        let call = call.set_limit(i32::try_from(limit).ok()).key_condition_expression("gsi1pk = :account");
        let call = call.projection_expression("pk, sk");
        let call = call.expression_attribute_values(":account", AttributeValue::S(keys::listed_events_pk(account)));
        let page = call.send().await.map_err(|error| port_error("listing events to delete", error))?;
        Ok(page.items.unwrap_or_default().iter().map(|item| key_of(item).pk).collect())
    }

    /// Deletes these rows; returns how many. No row may be named twice.
    async fn delete_all(&self, rows: Vec<Key>) -> PortResult<u64> {
        for batch in rows.chunks(BATCH) {
            let delete = |key: &Key| {
                let delete =
                    DeleteRequest::builder().set_key(Some(as_item(key.clone()))).build().map_err(build_error)?;
                Ok(WriteRequest::builder().delete_request(delete).build())
            };
            self.delete_batch(batch.iter().map(delete).collect::<PortResult<_>>()?).await?;
        }
        Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
    }

    async fn delete_batch(&self, mut left: Vec<WriteRequest>) -> PortResult<()> {
        for tried in 0..TRIES {
            let call = self.client.batch_write_item().request_items(&self.table, left);
            let answer = call.send().await.map_err(|error| port_error("deleting rows", error))?;
            left = answer.unprocessed_items.unwrap_or_default().remove(&self.table).unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50) * 2_u32.pow(tried)).await;
        }
        Err(PortError::transient("deleting rows", "the table repeatedly left rows out of a batch"))
    }

    /// Deletes an account's row, which `job` must have marked. It is no error if the row is gone already.
    fn delete_marked_part(&self, key: Key, job: &Job) -> PortResult<TransactWriteItem> {
        let delete = aws_sdk_dynamodb::types::Delete::builder().table_name(&self.table).set_key(Some(as_item(key)));
        let delete = delete.condition_expression("attribute_not_exists(pk) OR deletion = :job");
        let delete = delete.expression_attribute_values(":job", AttributeValue::S(job.id.to_string()));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(build_error)?).build())
    }
}
