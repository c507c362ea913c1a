//! Subscriptions in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::id::{AccountId, SubscriptionId};
use crate::domain::subscription::{Bucket, Subscription};
use crate::ports::{CreatedSubscription, FindSubscriptions, PortResult, Subscriptions};

#[async_trait]
impl FindSubscriptions for MemoryStore {
    async fn find_subscriptions(&self, account: &AccountId, buckets: &[Bucket]) -> PortResult<Vec<Subscription>> {
        let rows = self.call("find_subscriptions")?;
        let wanted: BTreeSet<_> = buckets.iter().collect();
        let filed = |s: &&Subscription| s.account == *account && s.buckets().iter().any(|b| wanted.contains(b));
        Ok(rows.subscriptions.values().filter(filed).cloned().collect())
    }
}

#[async_trait]
impl Subscriptions for MemoryStore {
    async fn create_subscription(&self, subscription: &Subscription) -> PortResult<CreatedSubscription> {
        let mut rows = self.call("create_subscription")?;
        if !rows.destinations.contains_key(&(subscription.account.clone(), subscription.destination.clone())) {
            return Ok(CreatedSubscription::NoDestination);
        }
        rows.subscriptions.insert((subscription.account.clone(), subscription.id.clone()), subscription.clone());
        Ok(CreatedSubscription::Created)
    }

    async fn find_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<Option<Subscription>> {
        Ok(self.call("find_subscription")?.subscriptions.get(&(account.clone(), id.clone())).cloned())
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

    async fn delete_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<bool> {
        let key = (account.clone(), id.clone());
        Ok(self.call("delete_subscription")?.subscriptions.remove(&key).is_some())
    }
}
