//! Deliveries in memory.

use async_trait::async_trait;
use domain::delivery::DeliveryRecord;
use domain::value::{AccountId, DeliveryId, DestinationId};
use ports::{Deliveries, ListDeliveries, Order, PortResult, Span, read_units};

use super::reckoning::units;
use super::{MemoryStore, Rows, page};

#[async_trait]
impl Deliveries for MemoryStore {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>> {
        let rows = self.call("find_delivery")?;
        rows.readable([id])?;
        Ok(rows.deliveries.get(account, id).inspect(|row| read_units::add(units(row))).cloned())
    }

    async fn find_deliveries(&self, ids: &[(AccountId, DeliveryId)]) -> PortResult<Vec<DeliveryRecord>> {
        let rows = self.call("find_deliveries")?;
        let readable = ids.iter().filter(|(_, id)| rows.readable([id]).is_ok());
        let found = readable.filter_map(|(account, id)| rows.deliveries.get(account, id));
        Ok(found.inspect(|row| read_units::add(units(row))).cloned().collect())
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
        span: Span,
        order: Order,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> PortResult<Vec<DeliveryRecord>> {
        let found = self.call("list_deliveries")?.deliveries_within(account, destination, span, order, after, limit);
        found.iter().for_each(|row| read_units::add(units(row) / 2.0));
        Ok(found)
    }
}

impl Rows {
    /// Deliveries of one destination.
    pub(super) fn deliveries_within(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        span: Span,
        order: Order,
        after: Option<&DeliveryId>,
        limit: usize,
    ) -> Vec<DeliveryRecord> {
        let all = self.deliveries.of(account, destination);
        let within = all.filter(|record| (span.since..span.until).contains(&record.delivery.id.occurred_at()));
        page(within, |record| &record.delivery.id, order, after, limit)
    }
}
