//! Roll-ups in memory.

use async_trait::async_trait;
use domain::delivery::{DeliveryRecord, DeliveryResult, RollUp};
use domain::value::{AccountId, DestinationId, Slot, Timestamp};
use ports::{FindRollUp, OlderThan, PortResult, RollUps, RolledUpTo, SealNote};

use super::MemoryStore;

fn result(record: DeliveryRecord) -> DeliveryResult {
    let attempts = record.attempts.kept().iter().map(|attempt| (&attempt.outcome, attempt.took));
    DeliveryResult::new(record.delivery.id.clone(), record.state(), attempts)
}

#[async_trait]
impl FindRollUp for MemoryStore {
    async fn find_roll_up(&self, account: &AccountId, destination: &DestinationId) -> PortResult<Option<RollUp>> {
        let rows = self.call("find_roll_up")?;
        Ok(rows.roll_ups.get(&(account.clone(), destination.clone())).map(|(roll_up, _)| roll_up.clone()))
    }
}

#[async_trait]
impl RollUps for MemoryStore {
    async fn store_roll_up(
        &self,
        before: Option<Timestamp>,
        after: &RollUp,
        look_at: Option<Timestamp>,
    ) -> PortResult<bool> {
        let mut rows = self.call("store_roll_up")?;
        let key = (after.account.clone(), after.destination.clone());
        if rows.roll_ups.get(&key).map(|(stored, _)| stored.computed_at) != before {
            return Ok(false);
        }
        rows.roll_ups.insert(key, (after.clone(), look_at));
        Ok(true)
    }

    async fn forget_roll_up(&self, account: &AccountId, destination: &DestinationId) -> PortResult<()> {
        self.call("forget_roll_up")?.roll_ups.remove(&(account.clone(), destination.clone()));
        Ok(())
    }

    async fn due_roll_ups(&self, until: Timestamp, limit: usize) -> PortResult<Vec<(AccountId, DestinationId)>> {
        let rows = self.call("due_roll_ups")?;
        let due = rows.roll_ups.iter().filter_map(|(key, (_, look_at))| Some(((*look_at)?, key.clone())));
        let mut due: Vec<_> = due.filter(|(look_at, _)| *look_at <= until).collect();
        due.sort();
        Ok(due.into_iter().take(limit).map(|(_, key)| key).collect())
    }

    async fn list_results(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> PortResult<Vec<DeliveryResult>> {
        let found = self.call("list_results")?.newest(account, destination, since, older, limit);
        Ok(found.into_iter().map(result).collect())
    }

    async fn notes_after(&self, sealed: Slot, after: Option<&SealNote>, limit: usize) -> PortResult<Vec<SealNote>> {
        let rows = self.call("notes_after")?;
        let notes =
            rows.seal_notes.keys().filter(|note| note.sealed == sealed && after.is_none_or(|after| *note > after));
        Ok(notes.take(limit).cloned().collect())
    }

    async fn rolled_up_to(&self) -> PortResult<Option<RolledUpTo>> {
        Ok(self.call("rolled_up_to")?.rolled_up_to.clone())
    }

    async fn set_rolled_up_to(&self, to: &RolledUpTo) -> PortResult<()> {
        self.call("set_rolled_up_to")?.rolled_up_to = Some(to.clone());
        Ok(())
    }
}
