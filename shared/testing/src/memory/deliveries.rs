//! Deliveries in memory.

use async_trait::async_trait;
use domain::delivery::DeliveryRecord;
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use ports::{Deliveries, ListDeliveries, OlderThan, PortResult};

use super::{MemoryStore, Rows};

#[async_trait]
impl Deliveries for MemoryStore {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>> {
        let rows = self.call("find_delivery")?;
        rows.readable([id])?;
        Ok(rows.deliveries.get(&(account.clone(), id.clone())).cloned())
    }

    async fn create_delivery(&self, record: &DeliveryRecord) -> PortResult<bool> {
        let mut rows = self.call("create_delivery")?;
        let key = (record.delivery.account.clone(), record.delivery.id.clone());
        if rows.deliveries.contains_key(&key) {
            return Ok(false);
        }
        rows.deliveries.insert(key, record.clone());
        Ok(true)
    }

    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool> {
        let mut rows = self.call("replace_delivery")?;
        let stored = rows.deliveries.get_mut(&(before.delivery.account.clone(), before.delivery.id.clone()));
        let known = |one: &DeliveryRecord| (one.state().as_str(), one.attempts.count(), one.look_at());
        let Some(stored) = stored.filter(|stored| known(stored) == known(before)) else { return Ok(false) };
        *stored = after.clone();
        Ok(true)
    }
}

#[async_trait]
impl ListDeliveries for MemoryStore {
    async fn list_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> PortResult<Vec<DeliveryRecord>> {
        Ok(self.call("list_deliveries")?.newest(account, destination, since, older, limit))
    }
}

impl Rows {
    /// Deliveries of one destination, newest first.
    pub(super) fn newest(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> Vec<DeliveryRecord> {
        let within = |record: &&DeliveryRecord| {
            let delivery = &record.delivery;
            let older = match older {
                OlderThan::Time(time) => delivery.id.occurred_at() < *time,
                OlderThan::Delivery(id) => delivery.id < *id,
            };
            delivery.account == *account
                && delivery.destination == *destination
                && delivery.id.occurred_at() >= since
                && older
        };
        // They are sorted by account and id, which for each destination is the order of time.
        self.deliveries.values().rev().filter(within).take(limit).cloned().collect()
    }
}
