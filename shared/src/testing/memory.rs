//! The table in memory: the same answers as the DynamoDB adapter, with calls counted and failures on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::domain::api_key::ApiKey;
use crate::domain::delivery::DeliveryRecord;
use crate::domain::destination::Destination;
use crate::domain::id::{AccountId, DeliveryId, DestinationId, EventId, KeyId, SubscriptionId};
use crate::domain::subscription::{Bucket, Subscription};
use crate::domain::timestamp::Timestamp;
use crate::ports::{
    Accounts, ApiKeys, Created, CreatedSubscription, DeletedDestination, Deliveries, Destinations, Events, FindAccount,
    FindDestination, FindSubscriptions, PortError, PortResult, Recorded, Sealed, SealedEvent, Subscriptions,
};

#[derive(Default)]
struct Rows {
    accounts: BTreeMap<AccountId, Timestamp>,
    keys: BTreeMap<(AccountId, KeyId), ApiKey>,
    destinations: BTreeMap<(AccountId, DestinationId), Destination>,
    subscriptions: BTreeMap<(AccountId, SubscriptionId), Subscription>,
    events: BTreeMap<(AccountId, EventId), SealedEvent>,
    deliveries: BTreeMap<(AccountId, DeliveryId), DeliveryRecord>,
    calls: Vec<&'static str>,
    failing: BTreeMap<&'static str, u32>,
}

/// Implements every port that the table implements.
#[derive(Default)]
pub struct MemoryStore {
    rows: Mutex<Rows>,
}

impl MemoryStore {
    fn call(&self, name: &'static str) -> PortResult<MutexGuard<'_, Rows>> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.calls.push(name);
        match rows.failing.get_mut(name) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err(PortError::transient(name, "a failure was asked for"))
            }
            _ => Ok(rows),
        }
    }

    fn look(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next `times` calls of the named method fail.
    pub fn fail(&self, method: &'static str, times: u32) {
        self.look().failing.insert(method, times);
    }

    /// The names of the methods called so far, in order; forgets them.
    pub fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.look().calls)
    }

    pub fn events(&self) -> Vec<SealedEvent> {
        self.look().events.values().cloned().collect()
    }

    pub fn deliveries(&self) -> Vec<DeliveryRecord> {
        self.look().deliveries.values().cloned().collect()
    }
}

#[async_trait]
impl FindAccount for MemoryStore {
    async fn find_account(&self, account: &AccountId) -> PortResult<Option<Timestamp>> {
        Ok(self.call("find_account")?.accounts.get(account).copied())
    }
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn create_account(&self, account: &AccountId, now: Timestamp) -> PortResult<Created> {
        let mut rows = self.call("create_account")?;
        if rows.accounts.contains_key(account) {
            return Ok(Created::Exists);
        }
        rows.accounts.insert(account.clone(), now);
        Ok(Created::Created)
    }
}

#[async_trait]
impl ApiKeys for MemoryStore {
    async fn store_key(&self, key: &ApiKey) -> PortResult<()> {
        self.call("store_key")?.keys.insert((key.account.clone(), key.id.clone()), key.clone());
        Ok(())
    }

    async fn find_key(&self, account: &AccountId, id: &KeyId) -> PortResult<Option<ApiKey>> {
        Ok(self.call("find_key")?.keys.get(&(account.clone(), id.clone())).cloned())
    }
}

#[async_trait]
impl FindDestination for MemoryStore {
    async fn find_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        Ok(self.call("find_destination")?.destinations.get(&(account.clone(), id.clone())).cloned())
    }
}

#[async_trait]
impl Destinations for MemoryStore {
    async fn create_destination(&self, destination: &Destination) -> PortResult<()> {
        let key = (destination.account.clone(), destination.id.clone());
        self.call("create_destination")?.destinations.insert(key, destination.clone());
        Ok(())
    }

    async fn list_destinations(
        &self,
        account: &AccountId,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>> {
        let rows = self.call("list_destinations")?;
        let mine = rows.destinations.values().filter(|d| d.account == *account && after.is_none_or(|a| d.id > *a));
        Ok(mine.take(limit).cloned().collect())
    }

    async fn delete_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<DeletedDestination> {
        let mut rows = self.call("delete_destination")?;
        if rows.subscriptions.values().any(|s| s.account == *account && s.destination == *id) {
            return Ok(DeletedDestination::InUse);
        }
        let removed = rows.destinations.remove(&(account.clone(), id.clone()));
        Ok(if removed.is_some() { DeletedDestination::Deleted } else { DeletedDestination::NotFound })
    }
}

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

#[async_trait]
impl Events for MemoryStore {
    async fn find_event(&self, account: &AccountId, id: &EventId) -> PortResult<Option<SealedEvent>> {
        Ok(self.call("find_event")?.events.get(&(account.clone(), id.clone())).cloned())
    }

    async fn seal_event(&self, event: &SealedEvent) -> PortResult<Sealed> {
        let mut rows = self.call("seal_event")?;
        let key = (event.account.clone(), event.id.clone());
        if let Some(before) = rows.events.get(&key) {
            return Ok(Sealed::Before { digest: before.digest });
        }
        rows.events.insert(key, event.clone());
        Ok(Sealed::Sealed)
    }
}

#[async_trait]
impl Deliveries for MemoryStore {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>> {
        Ok(self.call("find_delivery")?.deliveries.get(&(account.clone(), id.clone())).cloned())
    }

    async fn record_delivery(&self, record: &DeliveryRecord) -> PortResult<Recorded> {
        let mut rows = self.call("record_delivery")?;
        let key = (record.delivery.account.clone(), record.delivery.id.clone());
        if rows.deliveries.get(&key).is_some_and(|old| !record.supersedes(old)) {
            return Ok(Recorded::Superseded);
        }
        rows.deliveries.insert(key, record.clone());
        Ok(Recorded::Recorded)
    }
}
