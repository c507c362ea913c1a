//! Subscriptions in memory.

use std::sync::Arc;

use async_trait::async_trait;
use domain::routing::{Bucket, Filing, Listeners, MAX_CONDITION_BYTES, Subscription};
use domain::value::{AccountId, Label, SubscriptionId};
use ports::{
    CreatedSubscription, DeletedSubscription, FindListeners, FindSubscriptions, Order, PortError, PortResult,
    Subscriptions, UpdatedSubscription, read_units,
};

use super::{MemoryStore, blocks, page};

#[async_trait]
impl FindSubscriptions for MemoryStore {
    async fn find_subscriptions(
        &self,
        account: &AccountId,
        bucket: &Bucket,
        after: Option<&SubscriptionId>,
        most: usize,
    ) -> PortResult<Vec<Subscription>> {
        let rows = self.call("find_subscriptions")?;
        let mine = rows.subscriptions.values().filter(|s| s.account == *account && after.is_none_or(|a| s.id > *a));
        let found: Vec<_> = mine.filter(|s| s.buckets().contains(bucket)).take(most).cloned().collect();
        read_units::add(blocks(found.iter().map(size)) / 2.0);
        Ok(found)
    }
}

#[async_trait]
impl FindListeners for MemoryStore {
    async fn find_listeners(&self, account: &AccountId, buckets: &[Bucket]) -> PortResult<Vec<Arc<Listeners>>> {
        let rows = self.call("find_listeners")?;
        let listeners = buckets.iter().map(|bucket| {
            let mut filing = Filing::new(account.clone(), bucket.clone());
            let filed = rows.subscriptions.values().filter(|s| s.account == *account && s.buckets().contains(bucket));
            filed.for_each(|subscription| filing.add(subscription.settings.clone()));
            Arc::new(filing.done())
        });
        Ok(listeners.collect())
    }
}

/// The size of a row in bytes: about 250, and the settings.
fn size(subscription: &Subscription) -> usize {
    250 + serde_json::to_string(&subscription.settings).map_or(0, |text| text.len())
}

fn bytes(subscription: &Subscription) -> usize {
    subscription.settings.condition_bytes()
}

#[async_trait]
impl Subscriptions for MemoryStore {
    async fn create_subscription(&self, subscription: &Subscription, most: u32) -> PortResult<CreatedSubscription> {
        let mut rows = self.call("create_subscription")?;
        if !rows.is_active(&subscription.account) {
            return Err(PortError::permanent("counting in an account", "the account is not registered"));
        }
        let (account, settings) = (&subscription.account, &subscription.settings);
        let mut mine = rows.subscriptions.values().filter(|s| s.account == *account);
        if mine.clone().count() >= most as usize {
            return Ok(CreatedSubscription::LimitReached);
        }
        if mine.clone().map(bytes).sum::<usize>() + bytes(subscription) > MAX_CONDITION_BYTES {
            return Ok(CreatedSubscription::TooManyConditions);
        }
        if !rows.destinations.contains_key(&(account.clone(), settings.destination_id.clone())) {
            return Ok(CreatedSubscription::NoDestination);
        }
        if mine.any(|s| s.settings.name == settings.name) {
            return Ok(CreatedSubscription::NameTaken);
        }
        rows.subscriptions.insert((account.clone(), subscription.id.clone()), subscription.clone());
        Ok(CreatedSubscription::Created)
    }

    async fn update_subscription(
        &self,
        before: &Subscription,
        after: &Subscription,
    ) -> PortResult<UpdatedSubscription> {
        let mut rows = self.call("update_subscription")?;
        let key = (before.account.clone(), before.id.clone());
        read_units::add(blocks([size(before)]));
        if rows.subscriptions.get(&key).is_none_or(|stored| stored.version != before.version) {
            return Ok(UpdatedSubscription::Changed);
        }
        let mut others = rows.subscriptions.values().filter(|s| s.account == before.account && s.id != before.id);
        let more = bytes(after) > bytes(before);
        if more && others.clone().map(bytes).sum::<usize>() + bytes(after) > MAX_CONDITION_BYTES {
            return Ok(UpdatedSubscription::TooManyConditions);
        }
        if others.any(|s| s.settings.name == after.settings.name) {
            return Ok(UpdatedSubscription::NameTaken);
        }
        if !rows.destinations.contains_key(&(before.account.clone(), after.settings.destination_id.clone())) {
            return Ok(UpdatedSubscription::NoDestination);
        }
        rows.subscriptions.insert(key, after.clone());
        Ok(UpdatedSubscription::Updated)
    }

    async fn find_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<Option<Subscription>> {
        let rows = self.call("find_subscription")?;
        let found = rows.subscriptions.get(&(account.clone(), id.clone()));
        read_units::add(blocks(found.map(size)));
        Ok(found.cloned())
    }

    async fn find_subscription_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<SubscriptionId>> {
        let rows = self.call("find_subscription_named")?;
        let named = rows.subscriptions.values().find(|s| s.account == *account && s.settings.name == *name);
        Ok(named.map(|s| s.id.clone()))
    }

    async fn list_subscriptions(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&SubscriptionId>,
        limit: usize,
    ) -> PortResult<Vec<Subscription>> {
        let rows = self.call("list_subscriptions")?;
        let mine = rows.subscriptions.values().filter(|subscription| subscription.account == *account);
        let found = page(mine, |subscription| &subscription.id, order, after, limit);
        read_units::add(blocks(found.iter().map(size)));
        Ok(found)
    }

    async fn delete_subscription(
        &self,
        account: &AccountId,
        id: &SubscriptionId,
        version: Option<u64>,
    ) -> PortResult<DeletedSubscription> {
        let key = (account.clone(), id.clone());
        let mut rows = self.call("delete_subscription")?;
        let stored = rows.subscriptions.get(&key);
        read_units::add(blocks(stored.map(size)));
        let Some(stored) = stored else { return Ok(DeletedSubscription::NotFound) };
        if version.is_some_and(|version| version != stored.version) {
            return Ok(DeletedSubscription::Changed);
        }
        rows.subscriptions.remove(&key);
        Ok(DeletedSubscription::Deleted)
    }
}
