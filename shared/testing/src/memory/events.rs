//! Sealed events and deliveries in memory.

use async_trait::async_trait;
use domain::delivery::{Delivery, DeliveryRecord};
use domain::value::{AccountId, DeliveryId, EventId};
use ports::{Deliveries, Events, OweMore, PortResult, Recorded, Sealed, SealedEvent};

use super::MemoryStore;

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
impl OweMore for MemoryStore {
    async fn add_owed(&self, known: &SealedEvent, more: &[Delivery]) -> PortResult<bool> {
        let mut rows = self.call("add_owed")?;
        let stored = rows.events.get_mut(&(known.account.clone(), known.id.clone()));
        let Some(stored) = stored.filter(|stored| stored.owed.len() == known.owed.len()) else { return Ok(false) };
        if !more.is_empty() {
            stored.owed.extend_from_slice(more);
            stored.unmatched = None;
        }
        Ok(true)
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
    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool> {
        let mut rows = self.call("replace_delivery")?;
        let stored = rows.deliveries.get_mut(&(before.delivery.account.clone(), before.delivery.id.clone()));
        let known = |stored: &DeliveryRecord| (stored.state.as_str(), stored.attempts.len(), stored.look_at);
        let Some(stored) = stored.filter(|stored| known(stored) == known(before)) else { return Ok(false) };
        *stored = after.clone();
        Ok(true)
    }
}
