//! The ledger in bulk, in memory.

use async_trait::async_trait;
use domain::delivery::DeliveryRecord;
use domain::value::{AccountId, DeliveryId, EventId};
use ports::{DeliveryStanding, PortResult, Reckoning};

use super::MemoryStore;

#[async_trait]
impl Reckoning for MemoryStore {
    async fn find_owed(&self, account: &AccountId, events: &[EventId]) -> PortResult<Vec<(EventId, Vec<DeliveryId>)>> {
        let rows = self.call("find_owed")?;
        rows.readable(events)?;
        let known = events.iter().filter_map(|id| rows.events.get(&(account.clone(), id.clone())));
        Ok(known.map(|event| (event.id.clone(), event.owed.iter().map(|owed| owed.id.clone()).collect())).collect())
    }

    async fn find_standings(&self, account: &AccountId, ids: &[DeliveryId]) -> PortResult<Vec<DeliveryStanding>> {
        let rows = self.call("find_standings")?;
        rows.readable(ids)?;
        let known = ids.iter().filter_map(|id| rows.deliveries.get(account, id));
        let standing = |row: &DeliveryRecord| DeliveryStanding {
            id: row.delivery.id.clone(),
            state: row.state(),
            recovered_by_audit: row.recovered_by_audit,
        };
        Ok(known.map(standing).collect())
    }
}
