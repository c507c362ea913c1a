//! Destinations in memory.

use async_trait::async_trait;
use domain::destination::{Destination, Health};
use domain::value::{AccountId, DestinationId, Label, SubscriptionId};
use ports::{
    CreatedDestination, DeletedDestination, Destinations, FindDestination, Order, PortError, PortResult,
    UpdatedDestination, read_units,
};

use super::{MemoryStore, blocks, page};

/// The size of a row in bytes: about 500 with its secret, and the settings.
fn size(destination: &Destination) -> usize {
    500 + serde_json::to_string(&destination.settings).map_or(0, |text| text.len())
}

/// Counts the cost of a list in which each destination comes with its health.
fn listed(found: Vec<Destination>) -> Vec<Destination> {
    read_units::add(blocks(found.iter().map(size)) + found.len() as f64 / 2.0);
    found
}

#[async_trait]
impl FindDestination for MemoryStore {
    async fn find_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        let rows = self.call("find_destination")?;
        rows.readable([id])?;
        let found = rows.destination(account, id);
        read_units::add(blocks(found.as_ref().map(size)) + 1.0);
        Ok(found)
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
        order: Order,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>> {
        let rows = self.call("list_destinations")?;
        let mine = rows.destinations.values().filter(|stored| stored.account == *account);
        let found = page(mine, |stored| &stored.id, order, after, limit);
        Ok(listed(found.iter().map(|stored| rows.with_health(stored)).collect()))
    }

    async fn list_settings(
        &self,
        account: &AccountId,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>> {
        let rows = self.call("list_settings")?;
        let mine = rows.destinations.values().filter(|stored| stored.account == *account);
        let found = page(mine, |stored| &stored.id, Order::OldestFirst, after, limit);
        read_units::add(blocks(found.iter().map(size)));
        Ok(found.iter().map(|stored| stored.with_health(Health::default())).collect())
    }

    async fn delete_destination(
        &self,
        account: &AccountId,
        id: &DestinationId,
        version: Option<u64>,
    ) -> PortResult<DeletedDestination> {
        let mut rows = self.call("delete_destination")?;
        let stored = rows.destinations.get(&(account.clone(), id.clone()));
        read_units::add(2.0 * blocks(stored.map(size)));
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
        rows.searched.remove(&(account.clone(), id.clone()));
        Ok(if removed.is_some() { DeletedDestination::Deleted } else { DeletedDestination::NotFound })
    }

    async fn find_searched(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<SubscriptionId>> {
        let (rows, key) = (self.call("find_searched")?, (account.clone(), id.clone()));
        read_units::add(blocks(rows.destinations.get(&key).map(size)));
        Ok(rows.searched.get(&key).cloned())
    }

    async fn note_searched(
        &self,
        account: &AccountId,
        id: &DestinationId,
        after: Option<&SubscriptionId>,
    ) -> PortResult<()> {
        let (mut rows, key) = (self.call("note_searched")?, (account.clone(), id.clone()));
        match after.filter(|_| rows.destinations.contains_key(&key)) {
            Some(after) => rows.searched.insert(key, after.clone()),
            None => rows.searched.remove(&key),
        };
        Ok(())
    }
}
