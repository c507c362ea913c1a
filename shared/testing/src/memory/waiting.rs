//! What waits, the notes of the audit, and the turns at limited destinations, in memory.

use async_trait::async_trait;
use domain::delivery::DeliveryState;
use domain::destination::{Destination, Health, Pace};
use domain::value::{AccountId, DeliveryId, DestinationId, Slot, Timestamp};
use ports::{Audit, DestinationHealth, Due, EventPlace, Paces, PortResult, SHARDS, SealNote, SealNotes, Waiting};

use super::MemoryStore;

/// The same as the table's, so that both lists hold the same deliveries.
fn shard(id: &DeliveryId) -> u8 {
    id.as_str().bytes().last().unwrap_or_default() % SHARDS
}

#[async_trait]
impl Waiting for MemoryStore {
    async fn due_deliveries(&self, wanted: u8, until: Timestamp, limit: usize) -> PortResult<Vec<Due>> {
        let rows = self.call("due_deliveries")?;
        let waiting = rows.deliveries.values().filter(|record| record.state != DeliveryState::Parked);
        let due = waiting.filter_map(|record| {
            let look_at = record.look_at.filter(|look_at| *look_at <= until)?;
            Some(Due { look_at, account: record.delivery.account.clone(), id: record.delivery.id.clone() })
        });
        let mut due: Vec<_> = due.filter(|due| shard(&due.id) == wanted).collect();
        due.sort();
        due.truncate(limit);
        Ok(due)
    }

    async fn parked_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        limit: usize,
    ) -> PortResult<Vec<DeliveryId>> {
        let rows = self.call("parked_deliveries")?;
        let parked = rows.deliveries.values().filter(|record| record.state == DeliveryState::Parked);
        let mine = parked.map(|r| &r.delivery).filter(|d| d.account == *account && d.destination == *destination);
        Ok(mine.map(|delivery| delivery.id.clone()).take(limit).collect())
    }

    async fn watched_destinations(
        &self,
        until: Timestamp,
        limit: usize,
    ) -> PortResult<Vec<(AccountId, DestinationId)>> {
        let rows = self.call("watched_destinations")?;
        let watched = rows.destinations.values().filter_map(|destination| Some((destination.look_at()?, destination)));
        let mut due: Vec<_> = watched.filter(|(look_at, _)| *look_at <= until).collect();
        due.sort_by_key(|(look_at, destination)| (*look_at, destination.id.clone()));
        Ok(due.into_iter().take(limit).map(|(_, d)| (d.account.clone(), d.id.clone())).collect())
    }
}

#[async_trait]
impl DestinationHealth for MemoryStore {
    async fn find_destination_anew(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        Ok(self.call("find_destination_anew")?.destinations.get(&(account.clone(), id.clone())).cloned())
    }

    async fn update_health(&self, before: &Destination, health: &Health) -> PortResult<bool> {
        let mut rows = self.call("update_health")?;
        let stored = rows.destinations.get_mut(&(before.account.clone(), before.id.clone()));
        let Some(stored) = stored.filter(|stored| stored.is_as(before)) else { return Ok(false) };
        stored.health = health.clone();
        Ok(true)
    }
}

#[async_trait]
impl SealNotes for MemoryStore {
    async fn note_seal(&self, note: &SealNote, _expires_at: Timestamp) -> PortResult<()> {
        // As in the table, noting it again lets the audit begin again.
        self.call("note_seal")?.seal_notes.insert(note.clone(), None);
        Ok(())
    }
}

#[async_trait]
impl Audit for MemoryStore {
    async fn last_audited(&self) -> PortResult<Option<Slot>> {
        Ok(self.call("last_audited")?.last_audited)
    }

    async fn set_last_audited(&self, slot: Slot) -> PortResult<()> {
        self.call("set_last_audited")?.last_audited = Some(slot);
        Ok(())
    }

    async fn seal_notes(&self, sealed: Slot, limit: usize) -> PortResult<Vec<(SealNote, Option<EventPlace>)>> {
        let rows = self.call("seal_notes")?;
        let notes = rows.seal_notes.iter().filter(|(note, _)| note.sealed == sealed).take(limit);
        Ok(notes.map(|(note, after)| (note.clone(), after.clone())).collect())
    }

    async fn note_progress(&self, note: &SealNote, to: &EventPlace) -> PortResult<()> {
        self.call("note_progress")?.seal_notes.insert(note.clone(), Some(to.clone()));
        Ok(())
    }

    async fn forget_note(&self, note: &SealNote) -> PortResult<()> {
        self.call("forget_note")?.seal_notes.remove(note);
        Ok(())
    }
}

#[async_trait]
impl Paces for MemoryStore {
    async fn store_pace(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        before: Pace,
        after: Pace,
    ) -> PortResult<Option<Pace>> {
        let mut rows = self.call("store_pace")?;
        let stored = rows.paces.entry((account.clone(), destination.clone())).or_default();
        if *stored != before {
            return Ok(Some(*stored));
        }
        *stored = after;
        Ok(None)
    }
}
