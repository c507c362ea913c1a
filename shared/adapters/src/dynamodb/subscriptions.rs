//! Subscriptions: each has a row in its account's list, and a copy in every bucket that it is filed under.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use domain::routing::{Bucket, Subscription, SubscriptionSettings};
use domain::value::{AccountId, DestinationId, Label, SubscriptionId, Timestamp};
use ports::{CreatedSubscription, FindSubscriptions, PortError, PortResult, Subscriptions, UpdatedSubscription};
use serde::{Deserialize, Serialize};

use super::rows::to_item;
use super::transactions::{Counted, NameRow};
use super::{DynamoStore, as_item, keys};
use crate::aws::build_error;

/// The row has the same fields in the account's list and in every bucket.
#[derive(Serialize, Deserialize)]
struct SubscriptionRow {
    id: SubscriptionId,
    account: AccountId,
    /// The settings as JSON, so that numbers in conditions are read back as they were written.
    settings: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
}

impl SubscriptionRow {
    fn of(subscription: &Subscription) -> PortResult<Self> {
        let settings = serde_json::to_string(&subscription.settings);
        Ok(Self {
            id: subscription.id.clone(),
            account: subscription.account.clone(),
            settings: settings.map_err(|error| PortError::permanent("writing a subscription", error))?,
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
            version: subscription.version,
        })
    }
}

impl TryFrom<SubscriptionRow> for Subscription {
    type Error = PortError;

    fn try_from(row: SubscriptionRow) -> PortResult<Self> {
        let settings: Result<SubscriptionSettings, _> = serde_json::from_str(&row.settings);
        Ok(Self {
            id: row.id,
            account: row.account,
            settings: settings.map_err(|error| PortError::permanent("reading a subscription", error))?,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

#[async_trait]
impl FindSubscriptions for DynamoStore {
    async fn find_subscriptions(&self, account: &AccountId, buckets: &[Bucket]) -> PortResult<Vec<Subscription>> {
        let look = buckets.iter().map(|bucket| {
            self.query::<SubscriptionRow>(keys::bucket_pk(account, bucket), keys::SUBSCRIPTIONS, None, None)
        });
        let found = futures_util::future::try_join_all(look).await?;
        found.into_iter().flatten().map(Subscription::try_from).collect()
    }
}

#[async_trait]
impl Subscriptions for DynamoStore {
    async fn create_subscription(&self, subscription: &Subscription, most: u32) -> PortResult<CreatedSubscription> {
        let (account, id) = (&subscription.account, &subscription.id);
        let settings = &subscription.settings;
        let row = SubscriptionRow::of(subscription)?;
        let mut parts = vec![
            self.count_up_part(account, Counted::Subscriptions, most)?,
            self.count_user_part(account, &settings.destination_id, 1)?,
            self.take_name_part(keys::subscription_name(account, &settings.name), id.as_str())?,
            self.put_part(to_item(keys::subscription(account, id), &row)?)?,
        ];
        for bucket in subscription.buckets() {
            parts.push(self.put_part(to_item(keys::filed_subscription(account, &bucket, id), &row)?)?);
        }
        match self.transact(parts).await?.as_slice() {
            [] => Ok(CreatedSubscription::Created),
            [0, ..] => self.limit_reached(account).await.map(|()| CreatedSubscription::LimitReached),
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
        let row = SubscriptionRow::of(after)?;
        let mut parts = vec![self.replace_subscription_part(before, &row)?];
        let mut names = None;
        if before.settings.name != after.settings.name {
            names = Some(parts.len());
            let name = keys::subscription_name(account, &after.settings.name);
            parts.push(self.take_name_part(name, id.as_str())?);
            parts.push(self.delete_part(keys::subscription_name(account, &before.settings.name), false)?);
        }
        if before.settings.destination_id != after.settings.destination_id {
            parts.push(self.count_user_part(account, &after.settings.destination_id, 1)?);
            parts.push(self.count_user_part(account, &before.settings.destination_id, -1)?);
        }
        let now: BTreeSet<_> = after.buckets().into_iter().collect();
        for bucket in before.buckets().iter().filter(|bucket| !now.contains(*bucket)) {
            parts.push(self.delete_part(keys::filed_subscription(account, bucket, id), false)?);
        }
        for bucket in &now {
            parts.push(self.overwrite_part(to_item(keys::filed_subscription(account, bucket, id), &row)?)?);
        }
        match self.transact(parts).await?.as_slice() {
            [] => Ok(UpdatedSubscription::Updated),
            [0, ..] => Ok(UpdatedSubscription::Changed),
            [place, ..] if Some(*place) == names => Ok(UpdatedSubscription::NameTaken),
            _ => Ok(UpdatedSubscription::NoDestination),
        }
    }

    async fn find_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<Option<Subscription>> {
        self.get::<SubscriptionRow>(keys::subscription(account, id)).await?.map(Subscription::try_from).transpose()
    }

    async fn find_subscription_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<SubscriptionId>> {
        let row: Option<NameRow> = self.get(keys::subscription_name(account, name)).await?;
        let id = row.map(|row| row.id.parse()).transpose();
        id.map_err(|error| PortError::permanent("reading a name's row", error))
    }

    async fn list_subscriptions(
        &self,
        account: &AccountId,
        after: Option<&SubscriptionId>,
        limit: usize,
    ) -> PortResult<Vec<Subscription>> {
        let after = after.map(|id| keys::subscription(account, id));
        let rows = self.query(keys::account_pk(account), keys::SUBSCRIPTIONS, after, Some(limit)).await?;
        rows.into_iter().map(|row: SubscriptionRow| row.try_into()).collect()
    }

    async fn delete_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<bool> {
        let Some(found) = self.find_subscription(account, id).await? else { return Ok(false) };
        let mut parts = vec![
            self.delete_found_part(&found)?,
            self.count_user_part(account, &found.settings.destination_id, -1)?,
            self.delete_part(keys::subscription_name(account, &found.settings.name), false)?,
            self.count_down_part(account, Counted::Subscriptions)?,
        ];
        for bucket in found.buckets() {
            parts.push(self.delete_part(keys::filed_subscription(account, &bucket, id), false)?);
        }
        match self.transact(parts).await?.as_slice() {
            [] => Ok(true),
            [0, ..] if self.find_subscription(account, id).await?.is_none() => Ok(false),
            [0, ..] => Err(PortError::transient("deleting a subscription", "it was changed meanwhile")),
            _ => Err(PortError::permanent("deleting a subscription", "its destination or account is missing")),
        }
    }
}

impl DynamoStore {
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

    /// Deletes the row if it is still the version that was read, whose name and buckets are deleted with it.
    fn delete_found_part(&self, found: &Subscription) -> PortResult<TransactWriteItem> {
        let key = keys::subscription(&found.account, &found.id);
        let delete = aws_sdk_dynamodb::types::Delete::builder().table_name(&self.table).set_key(Some(as_item(key)));
        let delete = delete.condition_expression("version = :found");
        let delete = delete.expression_attribute_values(":found", AttributeValue::N(found.version.to_string()));
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(build_error)?).build())
    }
}
