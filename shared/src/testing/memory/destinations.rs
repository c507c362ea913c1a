//! Destinations in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::destination::Destination;
use crate::domain::id::{AccountId, DestinationId};
use crate::ports::{DeletedDestination, Destinations, FindDestination, PortResult};

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
