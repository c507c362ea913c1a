//! Accounts, API keys, destinations and subscriptions.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};

use super::super::aws::{build_error, port_error};
use super::config_rows::{AccountRow, ApiKeyRow, DestinationRow, SubscriptionRow};
use super::keys::{self, Key};
use super::rows::to_item;
use super::{DynamoStore, Item, Written, as_item, transaction_refusal};
use crate::domain::api_key::ApiKey;
use crate::domain::destination::Destination;
use crate::domain::id::{AccountId, DestinationId, KeyId, SubscriptionId};
use crate::domain::subscription::{Bucket, Subscription};
use crate::domain::timestamp::Timestamp;
use crate::ports::{
    Accounts, ApiKeys, Created, CreatedSubscription, DeletedDestination, Destinations, FindAccount, FindDestination,
    FindSubscriptions, PortError, PortResult, Subscriptions,
};

#[async_trait]
impl FindAccount for DynamoStore {
    async fn find_account(&self, account: &AccountId) -> PortResult<Option<Timestamp>> {
        Ok(self.get::<AccountRow>(keys::account(account)).await?.map(|row| row.created_at))
    }
}

#[async_trait]
impl Accounts for DynamoStore {
    async fn create_account(&self, account: &AccountId, now: Timestamp) -> PortResult<Created> {
        let item = to_item(keys::account(account), &AccountRow { created_at: now })?;
        Ok(match self.put_new(item).await? {
            Written::Written => Created::Created,
            Written::Refused(_) => Created::Exists,
        })
    }
}

#[async_trait]
impl ApiKeys for DynamoStore {
    async fn store_key(&self, key: &ApiKey) -> PortResult<()> {
        self.put(to_item(keys::api_key(&key.account, &key.id), &ApiKeyRow::from(key))?).await
    }

    async fn find_key(&self, account: &AccountId, id: &KeyId) -> PortResult<Option<ApiKey>> {
        self.get::<ApiKeyRow>(keys::api_key(account, id)).await?.map(ApiKey::try_from).transpose()
    }
}

#[async_trait]
impl FindDestination for DynamoStore {
    async fn find_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        Ok(self.get::<DestinationRow>(keys::destination(account, id)).await?.map(Destination::from))
    }
}

#[async_trait]
impl Destinations for DynamoStore {
    async fn create_destination(&self, destination: &Destination) -> PortResult<()> {
        let key = keys::destination(&destination.account, &destination.id);
        match self.put_new(to_item(key, &DestinationRow::from(destination))?).await? {
            Written::Written => Ok(()),
            Written::Refused(_) => Err(PortError::transient("creating a destination", "its random id is taken")),
        }
    }

    async fn list_destinations(
        &self,
        account: &AccountId,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>> {
        let after = after.map(|id| keys::destination(account, id));
        let rows = self.query(keys::account_pk(account), keys::DESTINATIONS, after, Some(limit)).await?;
        Ok(rows.into_iter().map(|row: DestinationRow| row.into()).collect())
    }

    async fn delete_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<DeletedDestination> {
        use aws_sdk_dynamodb::operation::delete_item::DeleteItemError::ConditionalCheckFailedException;
        let call = self.client.delete_item().table_name(&self.table);
        let call = call.set_key(Some(as_item(keys::destination(account, id))));
        let call = call.condition_expression("subscriptions = :none");
        let call = call.expression_attribute_values(":none", AttributeValue::N("0".into()));
        let Err(error) = call.send().await else { return Ok(DeletedDestination::Deleted) };
        match error.as_service_error() {
            Some(ConditionalCheckFailedException(_)) if self.find_destination(account, id).await?.is_some() => {
                Ok(DeletedDestination::InUse)
            }
            Some(ConditionalCheckFailedException(_)) => Ok(DeletedDestination::NotFound),
            _ => Err(port_error("deleting a destination", error)),
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

    fn put_part(&self, item: Item) -> PortResult<TransactWriteItem> {
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = put.condition_expression("attribute_not_exists(pk)").build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn delete_part(&self, key: Key, must_exist: bool) -> PortResult<TransactWriteItem> {
        let delete = Delete::builder().table_name(&self.table).set_key(Some(as_item(key)));
        let condition = must_exist.then(|| "attribute_exists(pk)".to_owned());
        let delete = delete.set_condition_expression(condition).build().map_err(build_error)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}
