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
        Ok(rows.deliveries.get(account, id).cloned())
    }

    async fn find_deliveries(&self, ids: &[(AccountId, DeliveryId)]) -> PortResult<Vec<DeliveryRecord>> {
        let rows = self.call("find_deliveries")?;
        let readable = ids.iter().filter(|(_, id)| rows.readable([id]).is_ok());
        Ok(readable.filter_map(|(account, id)| rows.deliveries.get(account, id).cloned()).collect())
    }

    async fn create_delivery(&self, record: &DeliveryRecord) -> PortResult<bool> {
        let mut rows = self.call("create_delivery")?;
        let is_new = rows.deliveries.get(&record.delivery.account, &record.delivery.id).is_none();
        if is_new {
            rows.deliveries.insert(record.clone());
        }
        Ok(is_new)
    }

    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool> {
        let mut rows = self.call("replace_delivery")?;
        let stored = rows.deliveries.get(&before.delivery.account, &before.delivery.id);
        let known = |one: &DeliveryRecord| (one.state().as_str(), one.attempts.count(), one.look_at());
        let unchanged = stored.is_some_and(|stored| known(stored) == known(before));
        if unchanged {
            rows.deliveries.insert(after.clone());
        }
        Ok(unchanged)
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
            let id = &record.delivery.id;
            id.occurred_at() >= since
                && match older {
                    OlderThan::Time(time) => id.occurred_at() < *time,
                    OlderThan::Delivery(older) => id < older,
                }
        };
        self.deliveries.of(account, destination).rev().filter(within).take(limit).cloned().collect()
    }
}
