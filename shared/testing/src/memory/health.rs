//! The health of destinations in memory.

use async_trait::async_trait;
use domain::destination::{Destination, Health};
use domain::value::{AccountId, DestinationId};
use ports::{DestinationHealth, PortResult};

use super::{MemoryStore, Rows};

#[async_trait]
impl DestinationHealth for MemoryStore {
    async fn find_destination_anew(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        let rows = self.call("find_destination_anew")?;
        rows.readable([id])?;
        Ok(rows.destination(account, id))
    }

    async fn update_health(&self, before: &Destination, health: &Health) -> PortResult<bool> {
        let mut rows = self.call("update_health")?;
        Ok(rows.update_health(before, &before.with_health(health.clone())))
    }

    async fn forget_health(&self, account: &AccountId, id: &DestinationId) -> PortResult<()> {
        self.call("forget_health")?.health.remove(&(account.clone(), id.clone()));
        Ok(())
    }
}

impl Rows {
    pub(super) fn destination(&self, account: &AccountId, id: &DestinationId) -> Option<Destination> {
        self.destinations.get(&(account.clone(), id.clone())).map(|stored| self.with_health(stored))
    }

    pub(super) fn with_health(&self, stored: &Destination) -> Destination {
        let health = self.health.get(&(stored.account.clone(), stored.id.clone()));
        stored.with_health(health.map(|(health, _)| health.clone()).unwrap_or_default())
    }

    pub(super) fn has_health_of(&self, known: &Destination) -> bool {
        let stored = self.health.get(&(known.account.clone(), known.id.clone()));
        stored.map_or(0, |(health, _)| health.version) == known.health.version
    }

    /// Stores the health of `after` if the one of `before` is stored; returns whether it was.
    pub(super) fn update_health(&mut self, before: &Destination, after: &Destination) -> bool {
        let same = self.has_health_of(before);
        if same {
            let key = (before.account.clone(), before.id.clone());
            self.health.insert(key, (after.health.clone(), after.look_at()));
        }
        same
    }
}
