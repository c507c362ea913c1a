//! Destinations in memory.

use async_trait::async_trait;
use domain::destination::Destination;
use domain::value::{AccountId, DestinationId, Label};
use ports::{
    CreatedDestination, DeletedDestination, Destinations, FindDestination, PortError, PortResult, UpdatedDestination,
};

use super::MemoryStore;

#[async_trait]
impl FindDestination for MemoryStore {
    async fn find_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        let rows = self.call("find_destination")?;
        rows.readable([id])?;
        Ok(rows.destination(account, id))
    }
}

#[async_trait]
impl Destinations for MemoryStore {
    async fn create_destination(&self, destination: &Destination, most: u32) -> PortResult<CreatedDestination> {
        let mut rows = self.call("create_destination")?;
        if !rows.is_active(&destination.account) {
            return Err(PortError::permanent("counting in an account", "the account is not registered"));
        }
        let account = &destination.account;
        let mut mine = rows.destinations.values().filter(|d| d.account == *account);
        if mine.clone().count() >= most as usize {
            return Ok(CreatedDestination::LimitReached);
        }
        if mine.any(|d| d.settings.name == destination.settings.name) {
            return Ok(CreatedDestination::NameTaken);
        }
        rows.destinations.insert((account.clone(), destination.id.clone()), destination.clone());
        Ok(CreatedDestination::Created)
    }

    async fn update_destination(&self, before: &Destination, after: &Destination) -> PortResult<UpdatedDestination> {
        let mut rows = self.call("update_destination")?;
        let key = (before.account.clone(), before.id.clone());
        let other_health = before.health != after.health;
        if rows.destinations.get(&key).is_none_or(|stored| stored.version != before.version)
            || (other_health && !rows.has_health_of(before))
        {
            return Ok(UpdatedDestination::Changed);
        }
        let mut others = rows.destinations.values().filter(|d| d.account == before.account && d.id != before.id);
        if others.any(|d| d.settings.name == after.settings.name) {
            return Ok(UpdatedDestination::NameTaken);
        }
        rows.destinations.insert(key, after.clone());
        if other_health {
            rows.update_health(before, after);
        }
        Ok(UpdatedDestination::Updated)
    }

    async fn find_destination_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<DestinationId>> {
        let rows = self.call("find_destination_named")?;
        let named = rows.destinations.values().find(|d| d.account == *account && d.settings.name == *name);
        Ok(named.map(|d| d.id.clone()))
    }

    async fn list_destinations(
        &self,
        account: &AccountId,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>> {
        let rows = self.call("list_destinations")?;
        let mine = rows.destinations.values().filter(|d| d.account == *account && after.is_none_or(|a| d.id > *a));
        Ok(mine.take(limit).map(|stored| rows.with_health(stored)).collect())
    }

    async fn delete_destination(
        &self,
        account: &AccountId,
        id: &DestinationId,
        version: Option<u64>,
    ) -> PortResult<DeletedDestination> {
        let mut rows = self.call("delete_destination")?;
        let stored = rows.destinations.get(&(account.clone(), id.clone()));
        if stored.is_some_and(|stored| version.is_some_and(|version| version != stored.version)) {
            return Ok(DeletedDestination::Changed);
        }
        if rows.subscriptions.values().any(|s| s.account == *account && s.settings.destination_id == *id) {
            return Ok(DeletedDestination::InUse);
        }
        let removed = rows.destinations.remove(&(account.clone(), id.clone()));
        rows.roll_ups.remove(&(account.clone(), id.clone()));
        rows.paces.remove(&(account.clone(), id.clone()));
        rows.health.remove(&(account.clone(), id.clone()));
        Ok(if removed.is_some() { DeletedDestination::Deleted } else { DeletedDestination::NotFound })
    }
}
