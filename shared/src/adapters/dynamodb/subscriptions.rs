//! Subscriptions: each once in its account's list, and once in every bucket it is filed under.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};

use super::super::aws::build_error;
use super::rows::to_item;
use super::{DynamoStore, as_item, keys, transaction_refusal};
use crate::domain::destination::{DeliveryPath, Label};
use crate::domain::event_type::EventTypeFilter;
use crate::domain::id::{AccountId, DestinationId, SubscriptionId};
use crate::domain::scope::Scope;
use crate::domain::subscription::{Bucket, Subscription};
use crate::domain::timestamp::Timestamp;
use crate::ports::{CreatedSubscription, FindSubscriptions, PortError, PortResult, Subscriptions};

/// The same fields in an account's list and in every bucket the subscription is filed under.
#[derive(Serialize, Deserialize)]
struct SubscriptionRow {
    id: SubscriptionId,
    account: AccountId,
    name: Label,
    destination: DestinationId,
    event_types: Vec<EventTypeFilter>,
    scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<DeliveryPath>,
    created_at: Timestamp,
}

impl From<&Subscription> for SubscriptionRow {
    fn from(s: &Subscription) -> Self {
        Self {
            id: s.id.clone(),
            account: s.account.clone(),
            name: s.name.clone(),
            destination: s.destination.clone(),
            event_types: s.event_types.clone(),
            scope: s.scope.clone(),
            path: s.path.clone(),
            created_at: s.created_at,
        }
    }
}

impl From<SubscriptionRow> for Subscription {
    fn from(row: SubscriptionRow) -> Self {
        Self {
            id: row.id,
            account: row.account,
            name: row.name,
            destination: row.destination,
            event_types: row.event_types,
            scope: row.scope,
            path: row.path,
            created_at: row.created_at,
        }
    }
}

#[async_trait]
impl FindSubscriptions for DynamoStore {
    async fn find_subscriptions(&self, account: &AccountId, buckets: &[Bucket]) -> PortResult<Vec<Subscription>> {
        let look = buckets.iter().map(|bucket| {
            self.query::<SubscriptionRow>(keys::bucket_pk(account, bucket), keys::SUBSCRIPTIONS, None, None)
        });
        let found = futures_util::future::try_join_all(look).await?;
        Ok(found.into_iter().flatten().map(Subscription::from).collect())
    }
}

#[async_trait]
impl Subscriptions for DynamoStore {
    async fn create_subscription(&self, subscription: &Subscription) -> PortResult<CreatedSubscription> {
        let (account, id) = (&subscription.account, &subscription.id);
        let row = SubscriptionRow::from(subscription);
        let mut parts = vec![self.count_subscription(account, &subscription.destination, 1)?];
        parts.push(self.put_part(to_item(keys::subscription(account, id), &row)?)?);
        for bucket in subscription.buckets() {
            parts.push(self.put_part(to_item(keys::filed_subscription(account, &bucket, id), &row)?)?);
        }
        let call = self.client.transact_write_items().set_transact_items(Some(parts));
        let Err(error) = call.send().await else { return Ok(CreatedSubscription::Created) };
        match transaction_refusal(error)?.as_slice() {
            [0, ..] => Ok(CreatedSubscription::NoDestination),
            _ => Err(PortError::transient("creating a subscription", "its random id is taken")),
        }
    }

    async fn find_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<Option<Subscription>> {
        Ok(self.get::<SubscriptionRow>(keys::subscription(account, id)).await?.map(Subscription::from))
    }

    async fn list_subscriptions(
        &self,
        account: &AccountId,
        after: Option<&SubscriptionId>,
        limit: usize,
    ) -> PortResult<Vec<Subscription>> {
        let after = after.map(|id| keys::subscription(account, id));
        let rows = self.query(keys::account_pk(account), keys::SUBSCRIPTIONS, after, Some(limit)).await?;
        Ok(rows.into_iter().map(|row: SubscriptionRow| row.into()).collect())
    }

    async fn delete_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<bool> {
        let Some(subscription) = self.find_subscription(account, id).await? else { return Ok(false) };
        let mut parts = vec![self.delete_part(keys::subscription(account, id), true)?];
        parts.push(self.count_subscription(account, &subscription.destination, -1)?);
        for bucket in subscription.buckets() {
            parts.push(self.delete_part(keys::filed_subscription(account, &bucket, id), false)?);
        }
        let call = self.client.transact_write_items().set_transact_items(Some(parts));
        let Err(error) = call.send().await else { return Ok(true) };
        match transaction_refusal(error)?.as_slice() {
            // Someone else deleted it meanwhile.
            [0, ..] => Ok(false),
            _ => Err(PortError::permanent("deleting a subscription", "its destination is missing")),
        }
    }
}

impl DynamoStore {
    /// Adds to the count of subscriptions of a destination, which must exist.
    fn count_subscription(&self, account: &AccountId, id: &DestinationId, by: i8) -> PortResult<TransactWriteItem> {
        let update = Update::builder().table_name(&self.table).set_key(Some(as_item(keys::destination(account, id))));
        let update = update.update_expression("ADD subscriptions :by").condition_expression("attribute_exists(pk)");
        let update = update.expression_attribute_values(":by", AttributeValue::N(by.to_string()));
        Ok(TransactWriteItem::builder().update(update.build().map_err(build_error)?).build())
    }
}
