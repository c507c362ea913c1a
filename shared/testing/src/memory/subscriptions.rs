//! Subscriptions in memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use domain::routing::{Bucket, Subscription};
use domain::value::{AccountId, Label, SubscriptionId};
use ports::{
    CreatedSubscription, DeletedSubscription, FindSubscriptions, PortError, PortResult, Subscriptions,
    UpdatedSubscription,
};

use super::MemoryStore;

#[async_trait]
impl FindSubscriptions for MemoryStore {
    async fn find_subscriptions(&self, account: &AccountId, buckets: &[Bucket]) -> PortResult<Vec<Arc<Subscription>>> {
        let rows = self.call("find_subscriptions")?;
        let wanted: BTreeSet<_> = buckets.iter().collect();
        let filed = |s: &&Subscription| s.account == *account && s.buckets().iter().any(|b| wanted.contains(b));
        Ok(rows.subscriptions.values().filter(filed).cloned().map(Arc::new).collect())
    }
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
        if rows.subscriptions.get(&key).is_none_or(|stored| stored.version != before.version) {
            return Ok(UpdatedSubscription::Changed);
        }
        let mut others = rows.subscriptions.values().filter(|s| s.account == before.account && s.id != before.id);
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
        Ok(self.call("find_subscription")?.subscriptions.get(&(account.clone(), id.clone())).cloned())
    }

    async fn find_subscription_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<SubscriptionId>> {
        let rows = self.call("find_subscription_named")?;
        let named = rows.subscriptions.values().find(|s| s.account == *account && s.settings.name == *name);
        Ok(named.map(|s| s.id.clone()))
    }

    async fn list_subscriptions(
        &self,
        account: &AccountId,
        after: Option<&SubscriptionId>,
        limit: usize,
    ) -> PortResult<Vec<Subscription>> {
        let rows = self.call("list_subscriptions")?;
        let mine = rows.subscriptions.values().filter(|s| s.account == *account && after.is_none_or(|a| s.id > *a));
        Ok(mine.take(limit).cloned().collect())
    }

    async fn delete_subscription(
        &self,
        account: &AccountId,
        id: &SubscriptionId,
        version: Option<u64>,
    ) -> PortResult<DeletedSubscription> {
        let key = (account.clone(), id.clone());
        let mut rows = self.call("delete_subscription")?;
        let Some(stored) = rows.subscriptions.get(&key) else { return Ok(DeletedSubscription::NotFound) };
        if version.is_some_and(|version| version != stored.version) {
            return Ok(DeletedSubscription::Changed);
        }
        rows.subscriptions.remove(&key);
        Ok(DeletedSubscription::Deleted)
    }
}
