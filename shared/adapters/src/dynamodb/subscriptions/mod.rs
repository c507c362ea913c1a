//! Subscriptions: each has a row in its account's list, and a copy in each of its buckets.
//!
//! Settings are read tolerantly (the file `row`): unknown ones are ignored. A subscription may be unreadable because a
//! newer release gave it an event type, an operator or a transition that this release does not know. It is then left
//! out of its buckets, and each read of such a bucket logs it for the operator. Failing its events instead would be
//! worse: every other subscription of the account would miss them as well, until all of them are in the dead-letter
//! queue. The log shows what it missed (which subscription, from when until when), the events are kept, and `POST
//! /v1/events/{id}/replay` sends what they did not owe. It can be deleted without being read ([`Leads`]).
//!
//! Invariant: a subscription that cannot be read keeps no events from the account's others (tests:
//! `a_subscription_that_cannot_be_read_keeps_no_event_from_the_others`).

mod row;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use domain::routing::{Bucket, Filing, Listeners, MAX_CONDITION_BYTES, Subscription};
use domain::value::{AccountId, DestinationId, Label, SubscriptionId};
use ports::{
    CreatedSubscription, DeletedSubscription, FindListeners, FindSubscriptions, Order, PortError, PortResult,
    Subscriptions, UpdatedSubscription,
};
use serde::Deserialize;

use self::row::{Filed, FiledRow, LeadingRow};
pub(super) use self::row::{Leads, SubscriptionRow};
use super::keys::Key;
use super::rows::to_item;
use super::stretch::Stretch;
use super::transactions::{Count, NameRow};
use super::{DynamoStore, Reads, as_item, keys};
use crate::aws::build_error;

/// The numbers about an account's subscriptions in the account's row.
#[derive(Deserialize)]
struct CountsRow {
    #[serde(default)]
    subscriptions: u32,
}

#[async_trait]
impl FindSubscriptions for DynamoStore {
    async fn find_subscriptions(
        &self,
        account: &AccountId,
        bucket: &Bucket,
        after: Option<&SubscriptionId>,
        most: usize,
    ) -> PortResult<Vec<Subscription>> {
        let (pk, after) =
            (keys::bucket_pk(account, bucket), after.map(|id| keys::filed_subscription(account, bucket, id)));
        self.query::<SubscriptionRow, _>(Reads::Cheaply, pk, keys::SUBSCRIPTIONS, after, Some(most)).await
    }
}

/// How many subscriptions of a bucket are read at a time. Of each, only what matching needs is kept.
const FILED: usize = 1_000;

#[async_trait]
impl FindListeners for DynamoStore {
    async fn find_listeners(&self, account: &AccountId, buckets: &[Bucket]) -> PortResult<Vec<Arc<Listeners>>> {
        let look = buckets.iter().map(|bucket| async move {
            let (mut filing, mut after) = (Filing::new(account.clone(), bucket.clone()), None);
            loop {
                let page = self.filed(account, bucket, after.as_ref()).await?;
                let is_last = page.len() < FILED;
                after = page.last().map(|last| last.id.clone());
                page.into_iter().for_each(|filed| filing.add(filed.settings));
                if is_last {
                    return Ok(Arc::new(filing.done()));
                }
            }
        });
        futures_util::future::try_join_all(look).await
    }
}

#[async_trait]
impl Subscriptions for DynamoStore {
    async fn create_subscription(&self, subscription: &Subscription, most: u32) -> PortResult<CreatedSubscription> {
        let (account, id) = (&subscription.account, &subscription.id);
        let settings = &subscription.settings;
        let row = SubscriptionRow::of(subscription)?;
        let mut parts = vec![
            self.count_part(account, &[count_one(1, most), count_bytes(row.condition_bytes, 0)])?,
            self.count_user_part(account, &settings.destination_id, 1)?,
            self.take_name_part(keys::subscription_name(account, settings.name.as_str()), id.as_str())?,
            self.put_part(to_item(keys::subscription(account, id), &row)?)?,
        ];
        for bucket in subscription.buckets() {
            parts.push(self.put_part(to_item(keys::filed_subscription(account, &bucket, id), &row)?)?);
        }
        match self.transact(parts).await?.as_slice() {
            [] => Ok(CreatedSubscription::Created),
            [0, ..] => {
                self.limit_reached(account).await?;
                let counts = self.get::<CountsRow, CountsRow>(keys::account(account)).await?;
                let is_full = counts.is_some_and(|counts| counts.subscriptions >= most);
                Ok(if is_full { CreatedSubscription::LimitReached } else { CreatedSubscription::TooManyConditions })
            }
            [1, ..] => Ok(CreatedSubscription::NoDestination),
            [2, ..] => Ok(CreatedSubscription::NameTaken),
            _ => Err(PortError::transient("creating a subscription", "its random id is taken")),
        }
    }

    async fn update_subscription(
        &self,
        before: &Subscription,
        after: &Subscription,
    ) -> PortResult<UpdatedSubscription> {
        let (account, id) = (&before.account, &before.id);
        let found = self.get::<LeadingRow, LeadingRow>(keys::subscription(account, id)).await?;
        let Some(found) = found else { return Ok(UpdatedSubscription::Changed) };
        let mut row = SubscriptionRow::of(after)?;
        // An older release did not count the condition of its row; it is counted when it is changed.
        if before.settings.condition == after.settings.condition {
            row.condition_bytes = found.condition_bytes;
        }
        let mut parts = vec![self.replace_subscription_part(before, &row)?];
        let (mut names, mut conditions) = (None, None);
        if row.condition_bytes != found.condition_bytes {
            conditions = Some(parts.len());
            parts.push(self.count_part(account, &[count_bytes(row.condition_bytes, found.condition_bytes)])?);
        }
        if before.settings.name != after.settings.name {
            names = Some(parts.len());
            let [before, after] =
                [before, after].map(|one| keys::subscription_name(account, one.settings.name.as_str()));
            parts.push(self.take_name_part(after, id.as_str())?);
            parts.push(self.delete_part(before, false)?);
        }
        if before.settings.destination_id != after.settings.destination_id {
            parts.push(self.count_user_part(account, &after.settings.destination_id, 1)?);
            parts.push(self.count_user_part(account, &before.settings.destination_id, -1)?);
        }
        let now: BTreeSet<_> = after.buckets().into_iter().collect();
        for bucket in before.settings.buckets_of_any_release().iter().filter(|bucket| !now.contains(*bucket)) {
            parts.push(self.delete_part(keys::filed_subscription(account, bucket, id), false)?);
        }
        for bucket in &now {
            parts.push(self.overwrite_part(to_item(keys::filed_subscription(account, bucket, id), &row)?)?);
        }
        match self.transact(parts).await?.as_slice() {
            [] => Ok(UpdatedSubscription::Updated),
            [0, ..] => Ok(UpdatedSubscription::Changed),
            [place, ..] if Some(*place) == conditions => {
                self.limit_reached(account).await.map(|()| UpdatedSubscription::TooManyConditions)
            }
            [place, ..] if Some(*place) == names => Ok(UpdatedSubscription::NameTaken),
            _ => Ok(UpdatedSubscription::NoDestination),
        }
    }

    async fn find_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<Option<Subscription>> {
        self.get::<SubscriptionRow, _>(keys::subscription(account, id)).await
    }

    async fn find_subscription_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<SubscriptionId>> {
        let row = self.get::<NameRow, NameRow>(keys::subscription_name(account, name.as_str())).await?;
        let id = row.map(|row| row.id.parse()).transpose();
        id.map_err(|error| PortError::permanent("reading a name's row", error))
    }

    async fn list_subscriptions(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&SubscriptionId>,
        limit: usize,
    ) -> PortResult<Vec<Subscription>> {
        let after = after.map(|id| keys::subscription(account, id));
        self.query_account::<SubscriptionRow, _>(account, keys::SUBSCRIPTIONS, order, after, limit).await
    }

    async fn delete_subscription(
        &self,
        account: &AccountId,
        id: &SubscriptionId,
        version: Option<u64>,
    ) -> PortResult<DeletedSubscription> {
        let key = keys::subscription(account, id);
        let find = || self.get::<LeadingRow, LeadingRow>(key.clone());
        let Some(found) = find().await? else { return Ok(DeletedSubscription::NotFound) };
        if version.is_some_and(|version| version != found.version) {
            return Ok(DeletedSubscription::Changed);
        }
        let leads = Leads::of(account, &key.sk, &found.settings);
        let mut parts = vec![self.delete_found_part(key.clone(), found.version)?];
        if let Some(destination) = leads.destination {
            parts.push(self.count_user_part(account, &destination, -1)?);
        }
        if let Some(name) = leads.name {
            parts.push(self.delete_part(keys::subscription_name(account, &name), false)?);
        }
        parts.push(self.count_part(account, &[count_one(-1, 0), count_bytes(0, found.condition_bytes)])?);
        for copy in leads.copies {
            parts.push(self.delete_part(copy, false)?);
        }
        match self.transact(parts).await?.as_slice() {
            [] => Ok(DeletedSubscription::Deleted),
            [0, ..] if find().await?.is_none() => Ok(DeletedSubscription::NotFound),
            [0, ..] if version.is_some() => Ok(DeletedSubscription::Changed),
            [0, ..] => Err(PortError::transient("deleting a subscription", "it was changed in the meantime")),
            _ => Err(PortError::permanent("deleting a subscription", "its destination or account is missing")),
        }
    }
}

/// The change of the number of bytes of an account's conditions.
fn count_bytes(after: usize, before: usize) -> Count {
    let count = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
    Count { of: "condition_bytes", by: count(after).saturating_sub(count(before)), most: count(MAX_CONDITION_BYTES) }
}

fn count_one(by: i64, most: u32) -> Count {
    Count { of: "subscriptions", by, most: most.into() }
}

impl DynamoStore {
    /// What matching needs of at most [`FILED`] subscriptions of a bucket, after a given one.
    async fn filed(
        &self,
        account: &AccountId,
        bucket: &Bucket,
        after: Option<&SubscriptionId>,
    ) -> PortResult<Vec<Filed>> {
        let pk = keys::bucket_pk(account, bucket);
        let all = [keys::SUBSCRIPTIONS.to_owned(), format!("{}~", keys::SUBSCRIPTIONS)];
        let rows = Stretch::of_rows(Reads::Cheaply, pk, all, Order::OldestFirst, FILED);
        let rows = rows.after_row(after.map(|id| keys::filed_subscription(account, bucket, id)));
        self.query_stretch::<FiledRow, Filed>(Stretch { only: FiledRow::ATTRIBUTES, ..rows }).await
    }

    /// Changes the number of subscriptions of a destination, which must exist, by `by`.
    fn count_user_part(&self, account: &AccountId, id: &DestinationId, by: i8) -> PortResult<TransactWriteItem> {
        let update = Update::builder().table_name(&self.table).set_key(Some(as_item(keys::destination(account, id))));
        let update = update.update_expression("ADD subscriptions :by").condition_expression("attribute_exists(pk)");
        let update = update.expression_attribute_values(":by", AttributeValue::N(by.to_string()));
        Ok(TransactWriteItem::builder().update(update.build().map_err(build_error)?).build())
    }

    fn replace_subscription_part(&self, before: &Subscription, row: &SubscriptionRow) -> PortResult<TransactWriteItem> {
        let item = to_item(keys::subscription(&before.account, &before.id), row)?;
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).condition_expression("version = :before");
        let put = put.expression_attribute_values(":before", AttributeValue::N(before.version.to_string()));
        Ok(TransactWriteItem::builder().put(put.build().map_err(build_error)?).build())
    }

    /// Deletes the row if it still has the version that was read. The name and buckets of that version are deleted with
    /// it.
    fn delete_found_part(&self, key: Key, version: u64) -> PortResult<TransactWriteItem> {
        let delete = aws_sdk_dynamodb::types::Delete::builder().table_name(&self.table).set_key(Some(as_item(key)));
        let delete = delete.condition_expression("version = :found");
        let delete = delete.expression_attribute_values(":found", AttributeValue::N(version.to_string()));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(build_error)?).build())
    }
}

#[cfg(test)]
mod tests {
    use testing::{account, destination, subscription};

    use super::*;
    use crate::dynamodb::fake_table::FakeTable;

    #[tokio::test]
    async fn a_condition_that_was_not_counted_is_counted_when_it_is_changed() {
        let (table, acme) = (FakeTable::default(), account("acme"));
        let target = destination(&acme, 1, "https://example.com/");
        let condition = |text: &str| serde_json::from_str(text).expect("a condition");
        let mut old = subscription(&target, 2, &["*"], "*", None);
        old.settings.condition = Some(condition(r#"{"a": ["b"]}"#));
        let key = keys::subscription(&acme, &old.id);
        let mut item = to_item(key.clone(), &SubscriptionRow::of(&old).expect("a row")).expect("an item");
        item.remove("condition_bytes").expect("the bytes");
        table.put(item);
        let store = table.store();
        let counted = async || store.get::<LeadingRow, LeadingRow>(key.clone()).await.expect("a row").expect("a row");
        let mut renamed = old.clone();
        renamed.settings.name = "Another".to_owned().try_into().expect("a name");
        assert_eq!(store.update_subscription(&old, &renamed).await.expect("an answer"), UpdatedSubscription::Updated);
        assert_eq!(counted().await.condition_bytes, 0);
        let mut changed = renamed.clone();
        changed.settings.condition = Some(condition(r#"{"a": ["bc"]}"#));
        assert_eq!(
            store.update_subscription(&renamed, &changed).await.expect("an answer"),
            UpdatedSubscription::Updated
        );
        assert_eq!(counted().await.condition_bytes, changed.settings.condition_bytes());
    }

    #[tokio::test]
    async fn what_an_earlier_release_filed_goes_with_its_subscription() {
        let (table, acme) = (FakeTable::default(), account("acme"));
        let store = table.store();
        let target = destination(&acme, 1, "https://example.com/");
        let old = |n| subscription(&target, n, &["*", "sync_run.completed"], "*", None);
        let [_, bucket] = <[Bucket; 2]>::try_from(old(1).settings.buckets_of_any_release()).expect("two buckets");
        for n in [1, 2] {
            let row = SubscriptionRow::of(&old(n)).expect("a row");
            for key in [keys::subscription(&acme, &old(n).id), keys::filed_subscription(&acme, &bucket, &old(n).id)] {
                table.put(to_item(key, &row).expect("an item"));
            }
        }
        let filed = async || store.find_subscriptions(&acme, &bucket, None, 9).await.expect("an answer").len();
        assert_eq!((filed().await, old(1).buckets().contains(&bucket)), (2, false));
        let changed = Subscription { version: 2, ..old(1) };
        assert_eq!(
            store.update_subscription(&old(1), &changed).await.expect("an answer"),
            UpdatedSubscription::Updated
        );
        assert_eq!(filed().await, 1);
        let deleted = store.delete_subscription(&acme, &old(2).id, None).await.expect("an answer");
        assert_eq!((deleted, filed().await), (DeletedSubscription::Deleted, 0));
    }
}
