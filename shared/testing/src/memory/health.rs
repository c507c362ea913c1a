//! The health of destinations in memory.

use async_trait::async_trait;
use domain::destination::{Destination, Health};
use domain::value::{AccountId, DestinationId};
use ports::{DestinationHealth, PortResult};

use super::MemoryStore;

#[async_trait]
impl DestinationHealth for MemoryStore {
    async fn find_destination_anew(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        let rows = self.call("find_destination_anew")?;
        rows.readable([id])?;
        Ok(rows.destinations.get(&(account.clone(), id.clone())).cloned())
    }

    async fn update_health(&self, before: &Destination, health: &Health) -> PortResult<bool> {
        let mut rows = self.call("update_health")?;
        let stored = rows.destinations.get_mut(&(before.account.clone(), before.id.clone()));
        let Some(stored) = stored.filter(|stored| stored.is_as(before)) else { return Ok(false) };
        stored.health = health.clone();
        Ok(true)
    }
}
